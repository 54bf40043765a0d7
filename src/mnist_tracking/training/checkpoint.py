"""Checkpoints: what a run can be taken up from, one file after each epoch and, when asked, some in between."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from mnist_tracking.errors import ConfigError, DatasetError
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.plain import load_plain, save_plain

__all__ = ["CheckpointFolder", "load_checkpoint"]

_FORMAT = "mnist-tracking-checkpoint/1"
_NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?\.pt")
_FREE = {"log_interval", "test_batch_size", "checkpoint_s"}  # these change no weight


def load_checkpoint(path: Path) -> dict[str, Any]:
    """
    Read a checkpoint; nothing in it is executed.

    Raises:
        DatasetError: If the file is missing, damaged, or not a checkpoint of this version.
    """
    content = load_plain(path, what="a checkpoint")
    if content.get("format") != _FORMAT:
        raise DatasetError(f"{str(path)!r} has the format {content.get('format')!r}; this version reads {_FORMAT!r}.")
    return content


class CheckpointFolder:
    """
    The checkpoints of one run, in a folder.

    ``epoch-0002.pt`` is after epoch 2, ``epoch-0003-step-00400.pt`` after 400 steps of epoch 3. Each is written
    atomically: it is there in full, or not at all. Those after an epoch stay; of those in between, the last two.

    Args:
        directory: Made when the first one is written.
        hyperparameters: The run's own.
        circumstances: What else bit-identity depends on, such as the number of images; by name.
        warn: Is told, in words, when a checkpoint cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        hyperparameters: Hyperparameters,
        *,
        circumstances: Mapping[str, int | str],
        warn: Callable[[str], None],
    ) -> None:
        self._directory, self._hyperparameters = Path(directory), hyperparameters
        self._circumstances = {"torch": torch.__version__, **circumstances}
        self._warn = warn

    def write(self, state: Mapping[str, Any]) -> Path:
        """
        Write the state of a run, and return the path of the file.

        Raises:
            ConfigError: If it cannot be written; those that are there stay as they are.
        """
        done, step = len(state["epochs"]), state["step"]
        name = f"epoch-{done + 1:04}-step-{step:05}.pt" if step else f"epoch-{done:04}.pt"
        path = self._directory / name
        save_plain({"format": _FORMAT, "circumstances": self._circumstances, **state}, path)
        for _, old in self._between()[:-2]:
            old.unlink(missing_ok=True)
        return path

    def latest(self) -> dict[str, Any] | None:
        """
        Return the newest checkpoint that can be read, or None if there is none; damaged ones are warned of and skipped.

        Raises:
            ConfigError: If it is of a run with other hyperparameters, or other data.
        """
        for _, path in sorted(self._all(), reverse=True):
            try:
                content = load_checkpoint(path)
            except DatasetError as error:
                self._warn(f"{error} It is skipped for the one before.")
                continue
            self._check(path, content)
            return content
        return None

    def _all(self) -> Iterator[tuple[tuple[int, int], Path]]:
        """Yield each checkpoint after its place: epochs that are done, and steps of the next one."""
        for path in self._directory.glob("epoch-*.pt"):
            if match := _NAME.fullmatch(path.name):
                epoch, step = int(match[1]), match[2]
                yield ((epoch - 1, int(step)) if step else (epoch, 0)), path

    def _between(self) -> list[tuple[tuple[int, int], Path]]:
        return sorted((place, path) for place, path in self._all() if place[1])

    def _check(self, path: Path, content: Mapping[str, Any]) -> None:
        now, then = self._hyperparameters.as_dict(), content["hyperparameters"]
        free = _FREE | ({"epochs"} if self._hyperparameters.schedule == "constant" else set())
        for name in now.keys() - free:
            if then.get(name) != now[name]:
                self._refuse(path, name, then.get(name), now[name])
        for name, value in self._circumstances.items():
            if (before := content["circumstances"].get(name)) == value:
                continue
            if name.endswith("images"):
                self._refuse(path, name, before, value)
            self._warn(
                f"The checkpoint {path.name} was made with {name} {before}, and this run has {value}: "
                "the rest may differ in the last digits."
            )

    def _refuse(self, path: Path, name: str, then: object, now: object) -> None:
        raise ConfigError(
            f"The checkpoint {str(path)!r} is of a run with {name}={then!r}, but this one has {now!r}. "
            "Take another checkpoint folder, or the settings of that run."
        )
