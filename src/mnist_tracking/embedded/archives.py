"""Pack folders, and unpack other people's archives without letting them out of the folder."""

import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath

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


def pack(folders: Sequence[Path], archive: Path) -> None:
    """Pack what is in folders at the root of one ``.tar.gz``; of two with one name, the later folder's is taken."""
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for name, path in _merged(folders).items():
            tar.add(path, arcname=name, recursive=False)


def _merged(folders: Sequence[Path]) -> dict[str, Path]:
    """Return what lies below folders by its path there, each folder before what is in it."""
    found: dict[PurePath, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if name in found and _is_folder(found[name]) and not _is_folder(path):
                found = {other: there for other, there in found.items() if name not in other.parents}
            found[name] = path
    return {name.as_posix(): path for name, path in sorted(found.items())}


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
