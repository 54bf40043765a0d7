"""Reading contents: what is lost or altered is an error, never somebody's data."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


class ContentError(Exception):
    """A content is not what was stored: its file was deleted or altered."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"The stored content {str(self.path)!r} {self.reason}. Restore it from a copy, or store it again."


class Content(io.RawIOBase):
    """
    An open content, which stays readable when it is deleted. Closing it is the caller's.

    Args:
        path: Its file.
        size: Its size.
        md5: Its MD5 in hex, which is checked when the content is read from its beginning to its end; None if unknown.

    Raises:
        ContentError: If it does not have that size, or when the end is read and it does not have that MD5.
        FileNotFoundError: If there is no such file.
    """

    def __init__(self, path: Path, size: int, md5: str | None) -> None:
        super().__init__()
        self._path, self._size, self._md5 = path, size, md5
        self._file = path.open("rb", buffering=0)
        self._digest = hashlib.md5(usedforsecurity=False)
        self._read = 0
        found = os.fstat(self._file.fileno()).st_size
        if found != size:
            self._file.close()
            raise ContentError(path, f"has {found:,} bytes instead of {size:,}")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move; what is read from elsewhere than the end of what was read is not checked."""
        position = self._file.seek(offset, whence)
        if position != self._read:
            self._md5 = None
        return position

    def readinto(self, buffer: Any, /) -> int:
        count = self._file.readinto(buffer)
        if self._md5 is not None:
            self._digest.update(memoryview(buffer)[:count])
            self._read += count
            if self._read >= self._size and self._digest.hexdigest() != self._md5:
                found = self._digest.hexdigest()
                raise ContentError(self._path, f"has changed: its MD5 is {found} instead of {self._md5}")
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def check_content(path: Path, size: int, md5: str | None, *, as_path: Path | None = None) -> None:
    """
    Check a content by reading it.

    Args:
        path: Its file.
        size: Its size.
        md5: Its MD5 in hex; None if unknown.
        as_path: How the error calls the file.

    Raises:
        ContentError: If it is not what was stored.
    """
    try:
        with Content(path, size, md5) as content:
            while content.read(_CHUNK):
                pass
    except FileNotFoundError:
        raise ContentError(as_path or path, "is missing") from None
    except ContentError as error:
        raise ContentError(as_path or path, error.reason) from None
