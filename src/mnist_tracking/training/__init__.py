"""
The training program: a small convolutional network for handwritten digits, built on torch and numpy only.

``python -m mnist_tracking.training --data-dir DIR`` trains on a laptop; the same program runs as a SageMaker
training job and serves its model on an endpoint, through the stub in :mod:`mnist_tracking.training.entry`.

Importing this package imports nothing else: :mod:`~mnist_tracking.training.hyperparameters` and
:mod:`~mnist_tracking.training.entry` need only the standard library, and torch is imported by the names that use it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_tracking.training.artifact import Artifact, load_artifact, save_artifact
    from mnist_tracking.training.data import DigitData, Split, load_data
    from mnist_tracking.training.events import EpochEnd, Evaluation, Mistake, Observer, Progress, Score, TrainingResult
    from mnist_tracking.training.hyperparameters import Hyperparameters, hyperparameter_specs
    from mnist_tracking.training.loop import train
    from mnist_tracking.training.many import train_many
    from mnist_tracking.training.model import DigitNet, build_model
    from mnist_tracking.training.run import new_model
    from mnist_tracking.training.specification import HyperparameterSpec

_HOMES = {
    "Artifact": "artifact",
    "DigitData": "data",
    "DigitNet": "model",
    "Hyperparameters": "hyperparameters",
    "EpochEnd": "events",
    "Evaluation": "events",
    "HyperparameterSpec": "specification",
    "Mistake": "events",
    "Observer": "events",
    "Progress": "events",
    "Score": "events",
    "Split": "data",
    "TrainingResult": "events",
    "hyperparameter_specs": "hyperparameters",
    "build_model": "model",
    "load_artifact": "artifact",
    "load_data": "data",
    "new_model": "run",
    "save_artifact": "artifact",
    "train": "loop",
    "train_many": "many",
}

__all__ = [
    "Artifact",
    "DigitData",
    "DigitNet",
    "EpochEnd",
    "Evaluation",
    "HyperparameterSpec",
    "Hyperparameters",
    "Mistake",
    "Observer",
    "Progress",
    "Score",
    "Split",
    "TrainingResult",
    "build_model",
    "hyperparameter_specs",
    "load_artifact",
    "load_data",
    "new_model",
    "save_artifact",
    "train",
    "train_many",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
