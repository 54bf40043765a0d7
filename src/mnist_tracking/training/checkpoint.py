"""Checkpoints: files from which a run can resume, one after each epoch and optionally some within an epoch."""

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
_DRAFT = re.compile(rf"\.{_NAME.pattern}\.\d+")  # left behind by `write_atomically` if the process is killed
_PARTS = {"hyperparameters": dict, "circumstances": dict, "epochs": list, "step": int, "state_dict": dict}

Place: TypeAlias = tuple[int, int]  # completed epochs, and completed steps of the next one


def load_checkpoint(path: Path) -> dict[str, Any]:
    """
    Load a checkpoint. No code in the file is executed.

    Raises:
        DatasetError: If the file is missing, damaged, or not a checkpoint of this version.
    """
    content = load_plain(path, what="a checkpoint")
    if content.get("format") != _FORMAT:
        raise DatasetError(f"{str(path)!r} has the format {content.get('format')!r}; this version reads {_FORMAT!r}.")
    for name, kind in _PARTS.items():
        if not isinstance(content.get(name), kind):
            raise DatasetError(f"{str(path)!r} is not a complete checkpoint: {name!r} is missing.")
    return content


class CheckpointFolder:
    """
    The checkpoints of one run, in a folder.

    ``epoch-0002.pt`` is written after epoch 2, ``epoch-0003-step-00400.pt`` after 400 steps of epoch 3. Files are
    written atomically: a checkpoint is either complete or absent. All checkpoints at the end of an epoch are kept, and
    the last two within an epoch.

    Args:
        directory: The folder; created if missing.
        hyperparameters: The run's hyperparameters.
        circumstances: Other facts that the result depends on, such as the number of images, by name.
        warn: Called with a message when a checkpoint cannot be used.
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
        self._circumstances = {"torch": str(torch.__version__), **circumstances}  # a TorchVersion could not be loaded
        self._warn = warn

    @contextmanager
    def taken(self) -> Iterator[None]:
        """
        Lock the folder for this run until the block ends, and remove partial files of runs that were killed.

        Raises:
            ConfigError: If another run uses the folder, or it is not writable.
        """
        check_writable(self._directory)
        with held(self._directory, warn=self._warn) as is_alone:
            if is_alone:
                self._remove_drafts()
            yield

    def write(self, state: Mapping[str, Any]) -> Path:
        """
        Write the state of a run to a new checkpoint, and return its path.

        Raises:
            ConfigError: If the file cannot be written; existing checkpoints are not changed.
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
        Return the newest checkpoint that this run can resume from, or None.

        Damaged files cause a warning and are renamed to end in ``.damaged``. Checkpoints with more epochs than this run
        are ignored.

        Raises:
            ConfigError: If the newest checkpoint belongs to a run with other hyperparameters or data; no file is
                changed.
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
        """Rename a damaged file, so that a new checkpoint can take its name and nothing is lost."""
        aside = path.with_name(f"{path.name}.damaged")
        self._warn(f"{error} It was renamed to {aside.name!r}; the previous checkpoint is used instead.")
        try:
            path.replace(aside)
        except OSError as exc:
            raise ConfigError(f"{str(path)!r} cannot be renamed: {exc.strerror or exc}. Move it away.") from exc

    def _remove_drafts(self) -> None:
        for path in self._directory.glob(".epoch-*"):
            if _DRAFT.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def _all(self) -> Iterator[tuple[Place, Path]]:
        """Yield each checkpoint with its position in the run."""
        for path in self._directory.glob("epoch-*.pt"):
            if match := _NAME.fullmatch(path.name):
                epoch, step = int(match[1]), match[2]
                yield ((epoch - 1, int(step)) if step else (epoch, 0)), path
