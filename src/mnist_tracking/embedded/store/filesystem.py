"""
The file system of a store: whether SQLite can use it, and which errors it causes.

A write-ahead log does not work on a network file system, whose users do not share memory.
"""

import errno
import os
import re
import sqlite3
from pathlib import Path

from mnist_tracking.errors import ConfigError

_MOUNTS = Path("/proc/self/mountinfo")  # Linux only; elsewhere any file system is accepted
_OCTAL = re.compile(r"\\([0-7]{3})")  # how the kernel writes spaces and backslashes
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "fuse.sshfs", "fuse.s3fs", "lustre", "9p", "glusterfs"}
)
_STORAGE_ERRORS = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE),
        *(errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT),
    }
)
_SQLITE_STORAGE_ERRORS = frozenset(
    {
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY),
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN),
    }
)


class HomeLostError(OSError):
    """A file of a home is no longer at its path: the home was moved, deleted or replaced while it was in use."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.ESTALE, "it was moved, deleted or replaced while it was in use", path)

    def __str__(self) -> str:
        return f"{self.filename!r} is no longer the file that was opened: {self.strerror}"


class HomeBusyError(TimeoutError):
    """Other threads or programs have been writing to a home for too long."""

    def __init__(self, home: str, wait_s: float) -> None:
        super().__init__(errno.ETIMEDOUT, f"others have been writing to it for {wait_s:g} s", home)

    def __str__(self) -> str:
        return f"{self.filename!r} is in use: {self.strerror}"


def is_storage_error(error: Exception) -> bool:
    """Whether the cause is the disk, other programs or the limits of this one: full, read-only, busy, out of files."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE_STORAGE_ERRORS  # without the extended code
    return isinstance(error, OSError) and error.errno in _STORAGE_ERRORS


def check_file_system(folder: Path) -> None:
    """
    Check that a folder is on a local disk.

    Raises:
        ConfigError: If it is on a network file system (https://sqlite.org/wal.html, "all processes ... same host").
    """
    kind = file_system_of(folder, _MOUNTS.read_text() if _MOUNTS.exists() else "")
    if kind in _NETWORK:
        raise ConfigError(
            f"home {str(folder)!r} is on a network file system ({kind}), where SQLite's write-ahead log does not work. "
            "Choose a folder on a local disk."
        )


def file_system_of(folder: Path, mountinfo: str) -> str:
    """Return the type of a folder's file system from Linux's ``mountinfo`` (proc(5)); empty if unknown."""
    found, longest = "", -1
    real = os.path.realpath(folder)
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        mount_point = _OCTAL.sub(lambda found: chr(int(found[1], 8)), before.split()[4])
        if os.path.commonpath([real, mount_point]) == mount_point and len(mount_point) >= longest:
            found, longest = after.split()[0], len(mount_point)
    return found
