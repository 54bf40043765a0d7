"""Lock a folder for one run at a time. Standard library only."""

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
    Lock *directory* until the block or the process ends.

    The lock is on the folder itself and writes no file, so a killed process leaves no lock behind.

    Args:
        directory: An existing folder.
        warn: Called with a message when the file system does not support locks.

    Yields:
        Whether the lock was acquired; False if the file system does not support locks.

    Raises:
        ConfigError: If another process holds the lock.
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
            f"Another run is using {str(directory)!r}. Wait for it to end, or use another folder."
        ) from None
    except OSError as exc:
        warn(f"{str(directory)!r} cannot be locked ({exc.strerror or exc}). Make sure that no other run uses it.")
        return False
    return True
