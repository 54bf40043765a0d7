"""The disk that scripts write to: whether it is full, and how to read and delete files whatever a script has made."""

import contextlib
import errno
import os
import shutil
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import BinaryIO

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOT_A_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EISDIR})
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


def open_regular(path: Path, *, follow_links: bool = False) -> BinaryIO | None:
    """
    Open a file that a script has made, and never wait: None if it is gone, or a FIFO, a device, a folder or a link.

    Raises:
        OSError: If it cannot be read for another reason, such as its permissions.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return open(descriptor, "rb")
    os.close(descriptor)
    return None


def json_files(folder: Path) -> list[Path]:
    """Return the paths in a folder that end in ``.json``, sorted; none if it is not a folder any more."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            names = os.listdir(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        return []
    return [folder / name for name in sorted(names) if name.endswith(".json")]


def leads_elsewhere(path: Path, home: Path) -> bool:
    """Whether a path below a home, or a folder on the way to it, was replaced by a link."""
    return Path(os.path.realpath(path)) != Path(os.path.realpath(home), path.relative_to(home))


def delete_all(folder: Path, home: Path) -> None:
    """
    Delete a folder of a home as far as possible, even if its folders have no permissions or are nested very deeply.

    Nothing outside the folder is deleted or changed: of a link, only the link is deleted.
    """
    if leads_elsewhere(folder.parent, home):
        return
    if folder.is_symlink():
        folder.unlink()
        return
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        subprocess.run(["/bin/sh", "-c", _DELETE, "sh", str(folder)], check=False, stderr=subprocess.DEVNULL)
