"""Pack folders, and unpack other people's archives without letting them out of the folder."""

import tarfile
from pathlib import Path

from mnist_tracking.errors import ConfigError


class UnsafeArchiveError(ConfigError):
    """An archive would write outside its folder, or is no archive at all."""


def unpack(archive: Path, folder: Path) -> None:
    """
    Unpack a ``.tar.gz`` below a folder.

    Members named ``""``, ``"/"`` or ``"."`` (the SDK's repacking makes one) stand for the folder itself.

    Raises:
        UnsafeArchiveError: If a member is absolute, climbs out, is a link that leaves, or a device; or if the file is
            no gzipped tar, or truncated. What was unpacked so far stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if member.name.strip("./"):
                    tar.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UnsafeArchiveError(f"{archive.name} cannot be unpacked safely: {error}.") from error


def pack(folder: Path, archive: Path) -> None:
    """Pack the contents of a folder at the root of a ``.tar.gz``."""
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
