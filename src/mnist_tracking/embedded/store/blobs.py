"""Contents of S3 objects: files with generated names, so that no key can ever be a path."""

import hashlib
import re
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import attrs

from mnist_tracking._values.files import atomic_open, files_below, sync
from mnist_tracking.embedded.store.filesystem import HomeLostError
from mnist_tracking.embedded.store.locks import Lane

_CHUNK = 1 << 20
_LANE = "contents"
_OURS = re.compile(r"[0-9a-f]{2}/([0-9a-f]{32}|\.[0-9a-f]{32}\.[0-9a-f]{32}\.part)")


class Readable(Protocol):
    """What a content is read from."""

    def read(self, size: int, /) -> Any: ...


Body = bytes | Readable
"""A content, or what it is read from, from its current position to its end."""


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
        wait_s: How long to wait while another process looks for contents that nothing refers to.
    """

    def __init__(self, folder: Path, *, is_synced: bool = False, wait_s: float = 60.0) -> None:
        self.folder = folder
        self._is_synced, self._wait_s = is_synced, wait_s

    @contextmanager
    def added(self, body: Body) -> Iterator[Blob]:
        """
        Store a content while a block commits what refers to it; delete it if the block raises.

        Until then, nobody takes it for one that nothing refers to; see `unused`.
        """
        lane = Lane(self.folder.parent, _LANE)
        with closing(lane), lane.held(self._wait_s, shared=True):
            blob = self.put(body)
            try:
                yield blob
            except BaseException:
                self.delete(blob.name)
                raise

    def delete_unused(self, find_used: Callable[[], Collection[str]]) -> int:
        """
        Delete contents, and drafts of contents, that nothing refers to: their process was killed.

        Nothing is deleted while any process adds a content, nor files that are not named like contents.

        Args:
            find_used: Returns the names of the contents in use; called when no process adds one.

        Returns:
            How many files were deleted.
        """
        lane, deleted = Lane(self.folder.parent, _LANE), 0
        with closing(lane):
            if not lane.try_take():
                return 0
            used = find_used()
            for path in files_below(self.folder):
                if _OURS.fullmatch(path.relative_to(self.folder).as_posix()) and path.name not in used:
                    path.unlink(missing_ok=True)
                    deleted += 1
        return deleted

    def path(self, name: str) -> Path:
        """Return the path of a content."""
        return self.folder / name[:2] / name

    def put(self, body: Body) -> Blob:
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

    def delete(self, *names: str) -> None:
        """Delete contents, if they exist."""
        for name in names:
            self.path(name).unlink(missing_ok=True)


def _chunks(body: Body) -> Iterator[bytes]:
    if isinstance(body, (bytes, bytearray)):
        yield bytes(body)
        return
    while chunk := body.read(_CHUNK):
        yield chunk
