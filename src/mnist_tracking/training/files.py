"""Atomic file writes. Standard library only."""

import contextlib
import os
import tempfile
from pathlib import Path

from mnist_tracking.errors import ConfigError

__all__ = ["append", "check_writable", "write_atomically"]


def write_atomically(content: bytes, path: Path) -> None:
    """
    Write *content* to *path* atomically: other processes see the old file or the complete new one.

    Args:
        content: The complete content of the file.
        path: The file; its directory is created if missing.

    Raises:
        ConfigError: If the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ConfigError(f"{str(path)!r} cannot be written: {exc.strerror or exc}.") from exc


def append(text: str, path: Path) -> None:
    """
    Append *text* to the file at *path*, which is created if missing.

    Raises:
        ConfigError: If the file cannot be written.
    """
    try:
        with path.open("a") as stream:
            stream.write(text)
    except OSError as exc:
        raise ConfigError(f"{str(path)!r} cannot be written: {exc.strerror or exc}.") from exc


def check_writable(directory: Path) -> None:
    """
    Create *directory* if missing, and check that it is writable, before hours of work are lost.

    Raises:
        ConfigError: If it is not writable.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as exc:
        raise ConfigError(f"The folder {str(directory)!r} is not writable: {exc.strerror or exc}.") from exc
