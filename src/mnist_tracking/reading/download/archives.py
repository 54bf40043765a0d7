"""Unpack an archive that somebody else has packed, without letting it out of its folder."""

import tarfile
import zlib
from pathlib import Path, PurePosixPath

from mnist_tracking.errors import StateError

__all__ = ["unpack"]

_ITSELF = ("", "/", ".", "./")
_CHUNK = 1 << 20


def unpack(archive: Path, folder: Path, uri: str) -> None:
    """
    Unpack a tar archive into a new folder. If that fails, what was unpacked so far stays.

    Args:
        archive: The file.
        folder: Where to.
        uri: Where the archive came from, to be named when it is refused.

    Raises:
        StateError: If it is damaged or truncated, or a member would leave the folder or is a device.
        OSError: If the disk does not take it.
    """
    folder.mkdir()
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if member.isdir() and member.name in _ITSELF:
                    continue
                _refuse_outside(member)
                tar.extract(member, folder, filter="data")
            while tar.fileobj is not None and tar.fileobj.read(_CHUNK):
                pass  # the checksum stands behind the last member
    except (tarfile.TarError, EOFError, ValueError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the archive's
        raise StateError("archive", uri, "damaged", f"cannot be unpacked: {error}") from error


def _refuse_outside(member: tarfile.TarInfo) -> None:
    """Refuse by name what the tarfile module would bend into the folder; links and devices it refuses itself."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise tarfile.TarError(f"its member {member.name!r} leaves the folder")
