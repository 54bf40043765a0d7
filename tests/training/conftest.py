"""Small data, and a short way to train on them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.digits import write_idx_dataset

from mnist_tracking.training.data import DigitData, load_data
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import BatchEnd, EpochEnd, Score, Snapshot, TrainingResult, train
from mnist_tracking.training.model import DigitNet
from mnist_tracking.training.randomness import seeded
from mnist_tracking.training.run import new_model


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.batches: list[BatchEnd] = []
        self.epochs: list[EpochEnd] = []
        self.snapshots: list[Snapshot] = []
        self.tests: list[Score] = []

    def on_batch(self, event: BatchEnd) -> None:
        self.batches.append(event)

    def on_epoch(self, event: EpochEnd, snapshot: Snapshot) -> None:
        self.epochs.append(event)
        self.snapshots.append(snapshot)

    def on_test(self, score: Score) -> None:
        self.tests.append(score)


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
    def run(**overrides: object) -> Training:
        settings = {"epochs": 1, "batch_size": 25, "hidden_channels": 3, "dropout": 0.2, **overrides}
        hyperparameters = Hyperparameters.from_mapping(settings)
        model, recorder = new_model(hyperparameters, torch.device("cpu")), Recorder()
        return model, train(model, data, hyperparameters, recorder), recorder

    return run
