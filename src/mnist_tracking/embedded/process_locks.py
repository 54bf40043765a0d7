"""
Whether a process that should live still lives, told by a file lock.

The lock is taken before the process starts and handed down to it; the kernel drops it when the last holder ends,
however that happens. So no process id can be mistaken for another's, and a killed supervisor is noticed.
"""

import fcntl
import os
from pathlib import Path


def take(path: Path) -> int:
    """Take the lock and return the file descriptor that holds it; hand that down with ``pass_fds``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def is_held(path: Path) -> bool:
    """Whether some process holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two that look do not take each other for it
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
