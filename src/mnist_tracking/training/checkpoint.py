"""Checkpoints: what a run can be taken up from, one file after each epoch and, when asked, some in between."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch

from mnist_tracking.errors import ConfigError, DatasetError
from mnist_tracking.training.files import check_writable
from mnist_tracking.training.fitting import check_fit
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.locking import held
from mnist_tracking.training.plain import load_plain, save_plain

__all__ = ["CheckpointFolder", "load_checkpoint"]

_FORMAT = "mnist-tracking-checkpoint/1"
_NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?\.pt")
_DRAFT = re.compile(rf"\.{_NAME.pattern}\.\d+")  # what `write_atomically` leaves when it is killed
_PARTS = {"hyperparameters": dict, "circumstances": dict, "epochs": list, "step": int, "state_dict": dict}

Place: TypeAlias = tuple[int, int]  # epochs that are done, and steps of the next one


def load_checkpoint(path: Path) -> dict[str, Any]:
    """
    Read a checkpoint; nothing in it is executed.

    Raises:
        DatasetError: If the file is missing, damaged, or not a checkpoint of this version.
    """
    content = load_plain(path, what="a checkpoint")
    if content.get("format") != _FORMAT:
        raise DatasetError(f"{str(path)!r} has the format {content.get('format')!r}; this version reads {_FORMAT!r}.")
    for name, kind in _PARTS.items():
        if not isinstance(content.get(name), kind):
            raise DatasetError(f"{str(path)!r} is not a whole checkpoint: it lacks {name!r}.")
    return content


class CheckpointFolder:
    """
    The checkpoints of one run, in a folder.

    ``epoch-0002.pt`` is after epoch 2, ``epoch-0003-step-00400.pt`` after 400 steps of epoch 3. Each is written
    atomically: it is there in full, or not at all. Those after an epoch stay; of those in between, the last two.

    Args:
        directory: Made if need be.
        hyperparameters: The run's own.
        circumstances: What else the result depends on, such as the number of images; by name.
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
        self._circumstances = {"torch": str(torch.__version__), **circumstances}  # its own type cannot be loaded
        self._warn = warn

    @contextmanager
    def taken(self) -> Iterator[None]:
        """
        Keep other runs out of the folder until the block ends, and remove the drafts of those that were killed.

        Raises:
            ConfigError: If another run uses it, or nothing can be written to it.
        """
        check_writable(self._directory)
        with held(self._directory, warn=self._warn) as is_alone:
            if is_alone:
                self._remove_drafts()
            yield

    def write(self, state: Mapping[str, Any]) -> Path:
        """
        Write the state of a run, and return the path of the file.

        Raises:
            ConfigError: If it cannot be written; those that are there stay as they are.
        """
        here = done, step = len(state["epochs"]), state["step"]
        name = f"epoch-{done + 1:04}-step-{step:05}.pt" if step else f"epoch-{done:04}.pt"
        path = self._directory / name
        save_plain({"format": _FORMAT, "circumstances": self._circumstances, **state}, path)
        between = sorted((place, old) for place, old in self._all() if place[1] and place <= here)
        for _, old in between[:-2]:
            old.unlink(missing_ok=True)
        return path

    def latest(self) -> dict[str, Any] | None:
        """
        Return the newest checkpoint that this run can go on from, or None if there is none.

        Damaged ones are warned of and set aside, under a name that ends in ``.damaged``. Those of more epochs than this
        run has are left alone.

        Raises:
            ConfigError: If the newest is of a run with other hyperparameters, or other data; then nothing is changed.
        """
        damaged: list[tuple[Path, DatasetError]] = []
        found = None
        for place, path in sorted(self._all(), reverse=True):
            try:
                content = load_checkpoint(path)
            except DatasetError as error:
                damaged.append((path, error))
                continue
            warnings = check_fit(str(path), content, self._hyperparameters, self._circumstances)
            if place <= (self._hyperparameters.epochs, 0):
                found = content
                for warning in warnings:
                    self._warn(warning)
                break
        for bad, why in damaged:
            self._set_aside(bad, why)
        return found

    def _set_aside(self, path: Path, error: DatasetError) -> None:
        """Make way for a whole one, and keep what there is, for whoever knows what to do with it."""
        aside = path.with_name(f"{path.name}.damaged")
        self._warn(f"{error} It is set aside as {aside.name!r}, and the one before is taken.")
        try:
            path.replace(aside)
        except OSError as exc:
            raise ConfigError(f"{str(path)!r} cannot be renamed: {exc.strerror or exc}. Move it away.") from exc

    def _remove_drafts(self) -> None:
        for path in self._directory.glob(".epoch-*"):
            if _DRAFT.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def _all(self) -> Iterator[tuple[Place, Path]]:
        """Yield each checkpoint after its place."""
        for path in self._directory.glob("epoch-*.pt"):
            if match := _NAME.fullmatch(path.name):
                epoch, step = int(match[1]), match[2]
                yield ((epoch - 1, int(step)) if step else (epoch, 0)), path
