"""Contents of S3 objects: files with made-up names, so that no key can ever name a path."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import attrs

_CHUNK = 1 << 20


@attrs.frozen
class Blob:
    """A stored content: its made-up name, its MD5 in hex and its size in bytes."""

    name: str
    md5: str
    size: int


class Blobs:
    """A folder of immutable contents. A content is visible only when it is whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return where the content of that name lies."""
        return self.folder / name[:2] / name

    def put(self, body: bytes | BinaryIO) -> Blob:
        """Store a content, read to its end from where it stands."""
        name = uuid.uuid4().hex
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with temporary.open("wb") as file:
                for chunk in _chunks(body):
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return Blob(name, digest.hexdigest(), size)

    def delete(self, name: str) -> None:
        """Forget a content; one that is gone already is fine."""
        self.path(name).unlink(missing_ok=True)


def _chunks(body: bytes | BinaryIO) -> Iterator[bytes]:
    if isinstance(body, (bytes, bytearray)):
        yield bytes(body)
        return
    while chunk := body.read(_CHUNK):
        yield chunk
