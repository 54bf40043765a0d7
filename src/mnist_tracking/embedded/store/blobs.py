"""Contents of S3 objects: files with generated names, so that no key can ever be a path."""

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import attrs

from mnist_tracking._values.files import atomic_open, sync
from mnist_tracking.embedded.store.filesystem import HomeLostError

_CHUNK = 1 << 20


@attrs.frozen
class Blob:
    """A stored content: its generated name, its MD5 in hex and its size in bytes."""

    name: str
    md5: str
    size: int


class Blobs:
    """
    A folder of immutable contents. A content is visible only when it is complete.

    Args:
        folder: Where they are.
        is_synced: Whether contents survive a power loss: each is flushed to the disk before anything refers to it.
    """

    def __init__(self, folder: Path, *, is_synced: bool = False) -> None:
        self.folder = folder
        self._is_synced = is_synced

    def path(self, name: str) -> Path:
        """Return the path of a content."""
        return self.folder / name[:2] / name

    def put(self, body: bytes | BinaryIO) -> Blob:
        """Store a content, read from its current position to its end."""
        name = uuid.uuid4().hex
        digest, size = hashlib.md5(usedforsecurity=False), 0
        self._make_folder(self.path(name).parent)
        with atomic_open(self.path(name), is_synced=self._is_synced, is_private=True) as file:
            for chunk in _chunks(body):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        if self._is_synced:
            sync(self.folder)  # the content's own folder may be new
        return Blob(name, digest.hexdigest(), size)

    def _make_folder(self, folder: Path) -> None:
        """Create the folder of a content, but never the home itself, which somebody may have deleted or moved."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except FileNotFoundError as error:
            raise HomeLostError(str(self.folder.parent)) from error

    def delete(self, name: str) -> None:
        """Delete a content, if it exists."""
        self.path(name).unlink(missing_ok=True)


def _chunks(body: bytes | BinaryIO) -> Iterator[bytes]:
    if isinstance(body, (bytes, bytearray)):
        yield bytes(body)
        return
    while chunk := body.read(_CHUNK):
        yield chunk
