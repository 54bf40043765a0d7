"""Refuse to keep a WAL file where its shared memory does not work: on a network file system."""

import os
import re
from pathlib import Path

from mnist_tracking.errors import ConfigError

_MOUNTS = Path("/proc/self/mountinfo")  # Linux only; elsewhere nothing is known, so nothing is refused
_OCTAL = re.compile(r"\\([0-7]{3})")  # how the kernel writes blanks and backslashes
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "fuse.sshfs", "fuse.s3fs", "lustre", "9p", "glusterfs"}
)


def refuse_network_file_system(folder: Path) -> None:
    """
    Check where a folder lies.

    Raises:
        ConfigError: If it is on a network file system (https://sqlite.org/wal.html, "all processes ... same host").
    """
    kind = file_system_of(folder, _MOUNTS.read_text() if _MOUNTS.exists() else "")
    if kind in _NETWORK:
        raise ConfigError(
            f"home {str(folder)!r} is on a network file system ({kind}), where SQLite's write-ahead log does not work. "
            "Give a folder on a local disk."
        )


def file_system_of(folder: Path, mountinfo: str) -> str:
    """Name the file system of a folder from Linux's ``mountinfo`` (proc(5)); empty if unknown."""
    found, longest = "", -1
    real = os.path.realpath(folder)
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        mount_point = _OCTAL.sub(lambda found: chr(int(found[1], 8)), before.split()[4])
        if os.path.commonpath([real, mount_point]) == mount_point and len(mount_point) >= longest:
            found, longest = after.split()[0], len(mount_point)
    return found
