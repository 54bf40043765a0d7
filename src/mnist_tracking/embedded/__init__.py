"""SageMaker in a folder: the engine behind `Workspace.embedded`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_tracking.embedded.engine import EmbeddedSageMaker

__all__ = ["EmbeddedSageMaker"]


def __getattr__(name: str) -> object:
    """Import the engine when it is asked for: the supervisors of jobs and endpoints do without boto3."""
    if name != "EmbeddedSageMaker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mnist_tracking.embedded.engine import EmbeddedSageMaker

    return EmbeddedSageMaker
