"""A folder for one run at a time. Standard library only."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_tracking.errors import ConfigError

__all__ = ["held"]


@contextmanager
def held(directory: Path, *, warn: Callable[[str], None]) -> Iterator[bool]:
    """
    Keep others who ask for *directory* out of it until the block ends, or this process does, however that comes.

    Nothing is written: the folder itself is locked, so a killed process leaves no lock behind.

    Args:
        directory: There already.
        warn: Is told, in words, when the file system has no locks.

    Yields:
        Whether the folder is this process's alone; False where the file system has no locks.

    Raises:
        ConfigError: If somebody else holds it.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield _lock(descriptor, directory, warn)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path, warn: Callable[[str], None]) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"Another run uses {str(directory)!r} at this moment. Wait for its end, or take another folder."
        ) from None
    except OSError as exc:
        warn(f"{str(directory)!r} cannot be locked ({exc.strerror or exc}): see to it that no other run uses it.")
        return False
    return True
