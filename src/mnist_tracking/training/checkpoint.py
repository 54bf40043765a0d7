"""Checkpoints: what each epoch left behind, one file per epoch."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import BatchEnd, EpochEnd, Observer, Score, Snapshot
from mnist_tracking.training.model import Architecture
from mnist_tracking.training.plain import load_plain, save_plain

__all__ = ["CheckpointWriter", "checkpoint_path", "load_checkpoint"]


def checkpoint_path(directory: Path, epoch: int) -> Path:
    """Return where the checkpoint of *epoch* lies; the names sort in order of the epochs."""
    return Path(directory) / f"epoch-{epoch:04}.pt"


def load_checkpoint(path: Path) -> dict[str, Any]:
    """
    Read a checkpoint; nothing in it is executed.

    Raises:
        DatasetError: If the file is missing, or not a checkpoint.
    """
    return load_plain(path, what="a checkpoint")


class CheckpointWriter:
    """
    Writes a checkpoint after every epoch, atomically.

    A checkpoint is one dict: the epoch and its scores, the hyperparameters and the architecture, the weights,
    and what the optimizer's next step depends on.
    """

    def __init__(self, directory: Path, hyperparameters: Hyperparameters) -> None:
        self._directory, self._hyperparameters = Path(directory), hyperparameters

    def on_batch(self, event: BatchEnd) -> None:
        """Do nothing."""

    def on_epoch(self, event: EpochEnd, snapshot: Snapshot) -> None:
        content = {
            **dataclasses.asdict(event),
            "hyperparameters": self._hyperparameters.as_dict(),
            "architecture": dataclasses.asdict(Architecture.of(self._hyperparameters)),
            "state_dict": snapshot.weights,
            "optimizer": snapshot.optimizer,
        }
        save_plain(content, checkpoint_path(self._directory, event.epoch))

    def on_test(self, score: Score) -> None:
        """Do nothing."""


if TYPE_CHECKING:
    _: Observer = CheckpointWriter(Path(), Hyperparameters())
