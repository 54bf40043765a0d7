"""SageMaker in a folder: the engine behind `Workspace.embedded`."""

from mnist_tracking.embedded.engine import EmbeddedSageMaker as EmbeddedSageMaker

__all__ = ["EmbeddedSageMaker"]
