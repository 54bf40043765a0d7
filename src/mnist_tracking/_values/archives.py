"""
Archives: folders packed as ``.tar.gz``, and tar archives of anyone unpacked without leaving a folder.

Standard library only. Unpacking uses neither `tarfile`'s own extraction nor its filters: they resolve paths, which a
long chain of links can deceive (CVE-2025-4517), and Python 3.11.0 to 3.11.3 has no filters.
"""

import errno
import importlib
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

from mnist_tracking._values.files import LeftOut, contents
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

__all__ = ["DISK_RESERVE_BYTES", "ArchiveError", "NoRoomError", "pack", "unpack"]

MAX_MEMBERS = 1_000_000
"""How many members `unpack` accepts by default."""
DISK_RESERVE_BYTES = 64 << 20
"""How much room `unpack` leaves on the disk by default."""

_CHUNK = 1 << 20
_MAX_HEADER = 1 << 18  # bytes of one member's headers: names, and what PAX adds to them
_MAX_DEPTH = 200  # folders in folders; deeper ones cannot be deleted by `shutil.rmtree`
_ROOT_NAMES = ("", "/", ".", "./")  # how archives name the folder that they were made of
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bz2", b"\xfd7": "lzma"}  # the module for the first bytes of an archive
_DAMAGE = (  # what `tarfile` and the decompressors raise, given arbitrary bytes
    tarfile.TarError,
    ArithmeticError,
    EOFError,
    LookupError,
    RecursionError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_A_FOLDER = (errno.ENOTDIR, errno.ELOOP)


class ArchiveError(ConfigError):
    """
    An archive cannot be unpacked: it is damaged or not an archive, too large, or would write outside its folder.

    Attributes:
        archive: The file name of the archive.
        reason: Why it cannot be unpacked.
    """

    def __init__(self, archive: str, reason: str) -> None:
        super().__init__(archive, reason)
        self.archive, self.reason = archive, reason

    def __str__(self) -> str:
        return f"{self.archive} cannot be unpacked: {self.reason}."


class NoRoomError(ArchiveError):
    """The contents of an archive would leave less of the disk free than is reserved."""


def pack(sources: Iterable[Path], archive: Path, left_out: LeftOut) -> None:
    """
    Pack files, and the contents of folders, at the root of one ``.tar.gz``; there are no links in it.

    Args:
        sources: Files, and folders, whose `contents` are packed. If two have members of the same name, the member of
            the later one is packed.
        archive: The file to write.
        left_out: Called for everything that is left out.

    Raises:
        ConfigError: If one of the folders is the home of an embedded SageMaker.
        OSError: If a file cannot be read, or the archive cannot be written.
    """
    with tarfile.open(archive, "w:gz", compresslevel=6, dereference=True) as tar:
        for name, path in sorted(_contents(sources, left_out).items()):
            tar.add(path, arcname=name.as_posix(), recursive=False)


def _contents(sources: Iterable[Path], left_out: LeftOut) -> dict[PurePath, Path]:
    """Map names in the archive to what is packed under them."""
    found: dict[PurePath, Path] = {}
    for source in sources:
        root = source if source.is_dir() else source.parent
        for path in contents(source, left_out) if source.is_dir() else [source]:
            name = path.relative_to(root)
            if name in found and found[name].is_dir() and not path.is_dir():
                found = {other: there for other, there in found.items() if name not in other.parents}
            found[name] = path
    return found


def unpack(
    archive: Path,
    folder: Path,
    *,
    max_bytes: int | None = None,
    max_members: int = MAX_MEMBERS,
    reserve_bytes: int = DISK_RESERVE_BYTES,
) -> None:
    """
    Unpack a tar archive, compressed or not, without writing, changing or linking anything outside a folder.

    A link may only point to something in the folder, and nothing is written below a link, so that reading what was
    unpacked does not leave the folder either. A member replaces an earlier one of its name, except for a folder.

    Members called ``""``, ``"/"`` or ``"."`` stand for the folder itself (SageMaker's SDK writes one). Files belong to
    this process, and are neither setuid nor writable for others. If unpacking fails, what has been unpacked so far
    stays.

    Args:
        archive: The archive.
        folder: Where to unpack it; created if missing.
        max_bytes: How large the contents may be. By default, only the disk limits them.
        max_members: How many members the archive may have.
        reserve_bytes: How much of the disk stays free. It is checked before each file is written.

    Raises:
        ArchiveError: If it is missing, damaged, truncated or too large, or a member is a device, has an absolute path
            or would end up outside the folder.
        NoRoomError: If the disk would have less free than the reserve. Not all of it was unpacked.
        OSError: If the disk does not accept what is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _errors_translated(archive.name), _opened(archive) as stream, _opened_folder(folder) as root:
        unpacking = _Unpacking(root, _Room(root, max_bytes, reserve_bytes), path_bytes=_path_bytes(folder))
        for number, (member, content) in enumerate(stream.members(), start=1):
            if number > max_members:
                raise _RejectedError(f"it has more than {max_members:,} members")
            if not (member.isdir() and member.name in _ROOT_NAMES):
                unpacking.add(member, content)


class _RejectedError(Exception):
    """The archive is rejected; the message is the reason."""


class _FullError(_RejectedError):
    """The archive is rejected since the disk has no room for it."""


@contextmanager
def _errors_translated(archive: str) -> Iterator[None]:
    """Turn what the bytes of an archive cause into an ArchiveError, but not what the disk causes."""
    try:
        yield
    except (_RejectedError, *_DAMAGE) as error:
        kind = NoRoomError if isinstance(error, _FullError) else ArchiveError
        raise kind(archive, str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise ArchiveError(archive, str(error)) from error


@contextmanager
def _opened(archive: Path) -> Iterator["_Stream"]:
    try:
        file = archive.open("rb")
    except OSError as error:
        raise _RejectedError(str(error)) from error
    with file:
        module = _COMPRESSED.get(file.peek(2)[:2])
        if module is None:
            yield _Stream(file)
            return
        with importlib.import_module(module).open(file) as content:
            yield _Stream(content)


@contextmanager
def _opened_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _path_bytes(folder: Path) -> int:
    """Return how long a path below a folder may be."""
    return os.pathconf(folder, "PC_PATH_MAX") - len(os.fsencode(folder.absolute())) - 2


class _Stream(io.RawIOBase):
    """
    The bytes of a tar archive, read forward only, and no more of them than a header or a member's content needs.

    `tarfile` believes the sizes that an archive states: it would read a header of any size into memory, and follow a
    negative size back to where it came from, for ever.
    """

    def __init__(self, content: BinaryIO) -> None:
        super().__init__()
        self._content, self._position = content, 0
        self._allowed = _MAX_HEADER
        self._last = b""

    def members(self) -> Iterator[tuple[tarfile.TarInfo, BinaryIO | None]]:
        """Yield each member with its content, which is to be read before the next one; None if it is no file."""
        with tarfile.open(fileobj=self, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep all of them
                self._allowed = max(member.size, 0) + io.DEFAULT_BUFFER_SIZE
                yield member, tar.extractfile(member) if _is_file(member) else None  # type: ignore[misc]
                self._allowed = _MAX_HEADER
            if self._last.strip(b"\0"):
                raise tarfile.ReadError("bad header")
            while self._content.read(_CHUNK):
                pass  # gzip's checksum comes after the last member

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read exactly that many bytes, or those that are left."""
        if not 0 <= size <= self._allowed:
            raise tarfile.ReadError("the size of a header is out of range")
        self._allowed -= size
        self._last = self._content.read(size)
        self._position += len(self._last)
        return self._last

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Skip what is before *offset*; at the end of the archive, stay there."""
        if whence != os.SEEK_SET or offset < self._position:
            raise tarfile.ReadError("its members overlap")
        while skipped := self._content.read(min(offset - self._position, _CHUNK)):
            self._position += len(skipped)
        return self._position


def _is_file(member: tarfile.TarInfo) -> bool:
    """Whether a member is a regular file, perhaps a sparse one; checks the sizes that it states."""
    if not member.isreg():
        return False
    end = 0
    parts: Iterable[tuple[int, int]] = member.sparse or ()  # type: ignore[assignment]
    for offset, size in parts:
        if offset < end or size < 0:
            raise tarfile.ReadError("the parts of a sparse file overlap")
        end = offset + size
    if max(end, 0) > member.size:
        raise tarfile.ReadError("the size of a file is out of range")
    return True


class _Room:
    """How much may still be written: the total of all files, and what the disk has beyond its reserve."""

    def __init__(self, root: int, max_bytes: int | None, reserve: int) -> None:
        self._root, self._reserve = root, reserve
        self._max_bytes, self._total = max_bytes, 0
        self._free_at_first = self._free()

    def take(self, size: int) -> None:
        """Take the room for a file before it is written."""
        self._total += size
        if self._max_bytes is not None and self._total > self._max_bytes:
            raise _RejectedError(f"its contents are larger than {self._max_bytes:,} bytes")
        if size > self._free() - self._reserve or self._total > self._free_at_first - self._reserve:
            raise _FullError(
                f"disk full: the contents take at least {self._total:,} bytes, {self._free_at_first:,} bytes are free, "
                f"and {self._reserve:,} of them are reserved"
            )

    def _free(self) -> int:
        found = os.fstatvfs(self._root)
        return found.f_bavail * found.f_frsize


class _Unpacking:
    """
    Writes the members of one archive below a folder.

    Every folder on the way is opened by its name, from the descriptor of the one above it, and never through a link. A
    link may lead up only at its beginning, so through real folders, and at most to the root: so wherever links lead to
    links, they stay inside.
    """

    def __init__(self, root: int, room: _Room, *, path_bytes: int) -> None:
        self._root, self._room, self._path_bytes = root, room, path_bytes
        self._files: set[tuple[str, ...]] = set()  # those written, to which hard links may point

    def add(self, member: tarfile.TarInfo, content: BinaryIO | None) -> None:
        """Write one member."""
        parts = self._parts(member.name, f"its member {short_repr(member.name)}")
        with self._folder(parts[:-1], member) as parent:
            if member.isdir():
                with suppress(FileExistsError):
                    os.mkdir(parts[-1], _folder_mode(member), dir_fd=parent)
                return self._check_folder(parent, parts[-1], member)
            if content is not None:
                self._room.take(member.size)
            elif not (member.issym() or member.islnk()):
                raise _RejectedError(f"its member {short_repr(member.name)} is a special file")
            self._link_or_write(parent, parts, member, content)
        return None

    def _parts(self, name: str, what: str) -> tuple[str, ...]:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise _RejectedError(f"{what} leaves the folder")
        if "\0" in name or len(os.fsencode(name)) > self._path_bytes or len(path.parts) > _MAX_DEPTH:
            raise _RejectedError(f"{what} has a path that is not allowed")
        return path.parts

    @contextmanager
    def _folder(self, parts: Iterable[str], member: tarfile.TarInfo) -> Iterator[int]:
        """Yield a descriptor of a folder below the root, created if missing."""
        descriptor = os.dup(self._root)
        try:
            for name in parts:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=descriptor)
                above, descriptor = descriptor, _open_folder(name, descriptor, member)
                os.close(above)
            yield descriptor
        finally:
            os.close(descriptor)

    def _check_folder(self, parent: int, name: str, member: tarfile.TarInfo) -> None:
        os.close(_open_folder(name, parent, member))

    def _link_or_write(
        self, parent: int, parts: tuple[str, ...], member: tarfile.TarInfo, content: BinaryIO | None
    ) -> None:
        name = parts[-1]
        if member.issym():
            target = _link_target(member, depth=len(parts) - 1)
            self._make_way(parent, parts)
            os.symlink(target, name, dir_fd=parent)
            return
        if content is not None:
            self._make_way(parent, parts)
            _write(os.open(name, _NEW_FILE, _file_mode(member), dir_fd=parent), content, member.mtime)
        else:
            self._hard_link(parent, parts, member)
        self._files.add(parts)

    def _hard_link(self, parent: int, parts: tuple[str, ...], member: tarfile.TarInfo) -> None:
        what = f"its hard link {short_repr(member.name)}"
        target = self._parts(member.linkname, what)
        if target not in self._files:
            raise _RejectedError(f"{what} does not point to an earlier file in it")
        if target == parts:
            return
        with self._folder(target[:-1], member) as folder:
            if not stat.S_ISREG(os.stat(target[-1], dir_fd=folder, follow_symlinks=False).st_mode):
                raise _RejectedError(f"{what} does not point to an earlier file in it")  # where case is ignored
            self._make_way(parent, parts)
            os.link(target[-1], parts[-1], src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)

    def _make_way(self, parent: int, parts: tuple[str, ...]) -> None:
        """Delete an earlier file or link, which is never written to: it may be a second name of another file."""
        self._files.discard(parts)
        with suppress(FileNotFoundError):
            os.unlink(parts[-1], dir_fd=parent)


def _open_folder(name: str, parent: int, member: tarfile.TarInfo) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno not in _NOT_A_FOLDER:
            raise
        raise _RejectedError(f"its member {short_repr(member.name)} is below a link or a file") from error


def _link_target(member: tarfile.TarInfo, depth: int) -> str:
    """Return where a link points to, checked: seen from a folder that many levels below the root."""
    target = os.path.normpath(member.linkname)
    steps = PurePosixPath(target).parts
    if not member.linkname or "\0" in target or target.startswith("/") or steps.count("..") > depth:
        raise _RejectedError(f"its link {short_repr(member.name)} points outside the folder")
    return target


def _write(descriptor: int, content: BinaryIO, mtime: float) -> None:
    with open(descriptor, "wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        file.flush()
        with suppress(OSError, OverflowError, ValueError):  # any number may be stated
            os.utime(descriptor, (mtime, mtime))


def _file_mode(member: tarfile.TarInfo) -> int:
    """Return the permissions of a file: as in the archive, but ours, and nobody else can write it."""
    return (member.mode & (0o755 if member.mode & 0o100 else 0o644)) | 0o600


def _folder_mode(member: tarfile.TarInfo) -> int:
    return (member.mode & 0o755) | 0o700
