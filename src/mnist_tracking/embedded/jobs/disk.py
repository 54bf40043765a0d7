"""The disk that jobs write to: whether it is full, and how a job's files are deleted whatever a script has made."""

import contextlib
import errno
import shutil
import sqlite3
import subprocess
from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DELETE = 'chmod -R u+rwX -- "$1"; rm -rf -- "$1"'
_NEARLY_FULL = 1 << 20  # bytes; less than this is no room for a script's files


def is_disk_full(error: BaseException) -> bool:
    """Whether an error was caused by a full disk or a used-up disk quota."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in _FULL


def described(error: BaseException) -> str:
    """Return an error as part of a FailureReason, which says so if the disk is full."""
    return f"disk full: {error}" if is_disk_full(error) else str(error)


def is_nearly_full(folder: Path) -> bool:
    """Whether the disk of a folder has no room for anything but small files."""
    try:
        return shutil.disk_usage(folder).free < _NEARLY_FULL
    except OSError:
        return False


def delete_all(folder: Path) -> None:
    """Delete a folder as far as possible, even if its folders have no permissions or are nested very deeply."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        subprocess.run(["/bin/sh", "-c", _DELETE, "sh", str(folder)], check=False, stderr=subprocess.DEVNULL)
