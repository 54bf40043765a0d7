"""Paths of files and folders that are given by a caller. Standard library only: this module travels with jobs."""

import os
from pathlib import Path

from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError

__all__ = ["check_path"]


def check_path(name: str, path: object) -> Path:
    """
    Return a path that was given as the argument *name*; whether something is there is another question.

    Raises:
        ConfigError: If it is no path, or an empty one, which would be the working directory.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise ConfigError(f"{name}={shortened(path)}; the path of a file or a folder is needed, such as 'data'.")
    return Path(text)
