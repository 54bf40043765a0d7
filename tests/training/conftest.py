"""Small data, and a short way to train on them."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from tests.support.digits import write_idx_dataset

from mnist_tracking.training.data import DigitData, load_data
from mnist_tracking.training.events import EpochEnd, Evaluation, Progress, TrainingResult
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import train
from mnist_tracking.training.model import DigitNet
from mnist_tracking.training.randomness import seeded
from mnist_tracking.training.run import new_model

State: TypeAlias = dict[str, Any]


class Recorder:
    """An observer and a checkpointer that records; of the steps, it keeps the states numbered in *keep*."""

    def __init__(self, keep: Collection[int] = ()) -> None:
        self.progress: list[Progress] = []
        self.epochs: list[EpochEnd] = []
        self.tests: list[Evaluation] = []
        self.states: list[State] = []
        self.kept: dict[int, State] = {}
        self._keep, self._steps = keep, 0

    def on_progress(self, event: Progress) -> None:
        self.progress.append(event)

    def on_epoch(self, event: EpochEnd) -> None:
        self.epochs.append(event)

    def on_test(self, evaluation: Evaluation) -> None:
        self.tests.append(evaluation)

    def after_step(self, take: Callable[[], State]) -> None:
        self._steps += 1
        if self._steps in self._keep:
            self.kept[self._steps] = take()

    def after_epoch(self, take: Callable[[], State]) -> None:
        self.states.append(take())


Training = tuple[DigitNet, TrainingResult, Recorder]


@pytest.fixture(scope="session")
def digits_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return write_idx_dataset(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="session")
def data(digits_dir: Path) -> DigitData:
    return load_data(digits_dir, validation_fraction=1 / 6, generator=seeded(1, "split"))


@pytest.fixture
def train_small(data: DigitData) -> Callable[..., Training]:
    def run(*, keep: Collection[int] = (), resume_from: State | None = None, **overrides: object) -> Training:
        small = {"recipe": "reference", "epochs": 1, "batch_size": 25, "hidden_channels": 3, "dropout": 0.2}
        hyperparameters = Hyperparameters.from_mapping({**small, "log_interval": 1, **overrides})
        model, recorder = new_model(hyperparameters, torch.device("cpu")), Recorder(keep)
        return (
            model,
            train(model, data, hyperparameters, recorder, checkpointer=recorder, resume_from=resume_from),
            recorder,
        )

    return run
