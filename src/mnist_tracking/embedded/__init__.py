"""SageMaker in a folder: the engine behind `Workspace.embedded`, and the errors and the lag that it can have."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_tracking.embedded.engine import EmbeddedSageMaker
    from mnist_tracking.embedded.injection import Fault, Injection
    from mnist_tracking.embedded.lag import Lag
    from mnist_tracking.embedded.timing import EngineTiming

__all__ = ["EmbeddedSageMaker", "EngineTiming", "Fault", "Injection", "Lag"]

_MODULES = {
    "EmbeddedSageMaker": "engine",
    "EngineTiming": "timing",
    "Fault": "injection",
    "Injection": "injection",
    "Lag": "lag",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used: the supervisors of jobs and endpoints do not need boto3."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
