"""What the demo is asked to do."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import attrs

from mnist_tracking.errors import MissingDependencyError

__all__ = ["Options", "available_cores", "parse_channels", "require_packages"]


@attrs.frozen(kw_only=True)
class Options:
    """
    The options of ``mnist-tracking demo``.

    Attributes:
        epochs: How long each model trains.
        channels: Hidden channels of each model.
        data_dir: Where MNIST is; None finds or fetches it.
        max_parallel: How many models train at once.
        keep: Leave everything there at the end.
        out: Where the results go.
    """

    epochs: int
    channels: tuple[int, ...]
    data_dir: Path | None
    max_parallel: int
    keep: bool
    out: Path


def parse_channels(text: str) -> tuple[int, ...]:
    """
    Read whole numbers with commas between them.

    Raises:
        ValueError: If they are anything else, less than 1, or the same twice.

    Example:
        >>> parse_channels("2, 5,10")
        (2, 5, 10)
    """
    try:
        channels = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r}: give whole numbers with commas between them, such as 2,5,10.") from None
    if min(channels) < 1 or len(set(channels)) < len(channels):
        raise ValueError(f"{text!r}: give different numbers of at least 1.")
    return channels


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def require_packages(names: Iterable[str]) -> None:
    """
    Check that packages are installed, without importing them.

    Raises:
        MissingDependencyError: If one is not; says the pip command.
    """
    for name in names:
        if find_spec(name) is None:
            raise MissingDependencyError(name, "demo")
