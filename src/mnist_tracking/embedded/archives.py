"""Pack folders, and unpack other people's archives without letting them out of the folder."""

import tarfile
import zlib
from pathlib import Path, PurePosixPath

from mnist_tracking.errors import ConfigError

_ITSELF = ("", "/", ".", "./")
_CHUNK = 1 << 20


class UnsafeArchiveError(ConfigError):
    """An archive would write outside its folder, or is no archive at all."""


def unpack(archive: Path, folder: Path) -> None:
    """
    Unpack a ``.tar.gz`` below a folder.

    Members named ``""``, ``"/"`` or ``"."`` (the SDK's repacking makes one) stand for the folder itself.

    Raises:
        UnsafeArchiveError: If a member is absolute, climbs out, is a link that leaves, or a device; or if the file is
            no gzipped tar, truncated or damaged. What was unpacked so far stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if not (member.isdir() and member.name in _ITSELF):
                    _refuse_outside(archive, member)
                    tar.extract(member, folder, filter="data")
            _read_to_the_end(tar)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        if isinstance(error, UnsafeArchiveError):
            raise
        raise UnsafeArchiveError(f"{archive.name} cannot be unpacked: {error}.") from error


def _refuse_outside(archive: Path, member: tarfile.TarInfo) -> None:
    """Refuse by name what the tarfile module would bend into the folder; links and devices it refuses itself."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or member.name in _ITSELF:
        raise UnsafeArchiveError(f"{archive.name} is not unpacked: its member {member.name!r} leaves the folder.")


def _read_to_the_end(tar: tarfile.TarFile) -> None:
    """Come to gzip's checksum, which stands behind the last member: only that tells damaged contents."""
    while tar.fileobj is not None and tar.fileobj.read(_CHUNK):
        pass


def pack(folder: Path, archive: Path) -> None:
    """Pack the contents of a folder at the root of a ``.tar.gz``."""
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
