"""Files that are either there in full or not there at all. Standard library only."""

import contextlib
import os
import tempfile
from pathlib import Path

from mnist_tracking.errors import ConfigError

__all__ = ["append", "check_writable", "write_atomically"]


def write_atomically(content: bytes, path: Path) -> None:
    """
    Put *content* at *path*, so that another process sees the old file or all of the new one.

    Args:
        content: All of the file.
        path: Its directory is made if need be.

    Raises:
        ConfigError: If it cannot be written.
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
    Put *text* at the end of the file at *path*, which is made if need be.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        with path.open("a") as stream:
            stream.write(text)
    except OSError as exc:
        raise ConfigError(f"{str(path)!r} cannot be written: {exc.strerror or exc}.") from exc


def check_writable(directory: Path) -> None:
    """
    Make *directory* if need be, and see that files can be written to it, before hours of work are lost.

    Raises:
        ConfigError: If they cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as exc:
        raise ConfigError(f"Nothing can be written to {str(directory)!r}: {exc.strerror or exc}.") from exc
