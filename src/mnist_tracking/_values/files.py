"""
File handling that must not go wrong: walking, packing and unpacking folders, locking, and replacing files atomically.

Standard library only. Everything here works on paths of the local machine and knows nothing of AWS.
"""

import contextlib
import fcntl
import io
import os
import shutil
import tarfile
import uuid
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

from mnist_tracking.errors import ConfigError

__all__ = [
    "ArchiveError",
    "OwnedFile",
    "acquire_lock",
    "atomic_open",
    "atomic_path",
    "delete",
    "files_below",
    "hold_lock",
    "is_locked",
    "locked",
    "pack",
    "sync",
    "unpack",
    "walk",
    "write_atomically",
]

MAX_MEMBERS = 1_000_000
"""How many members `unpack` accepts by default."""

_CHUNK = 1 << 20
_ROOT_NAMES = ("", "/", ".", "./")  # how archives name the folder that they were made of
_DAMAGE = (tarfile.TarError, EOFError, ValueError, zlib.error)


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


def _raise(error: OSError) -> None:
    raise error


def walk(folder: Path, *, follow_links: bool = False, on_error: Callable[[OSError], object] = _raise) -> Iterator[Path]:
    """
    Yield everything below a folder, sorted by path, each folder before its contents.

    A folder that is deleted meanwhile, or does not exist, has no contents.

    Args:
        folder: Where to start; not yielded itself.
        follow_links: Whether to enter folders that are symbolic links. A link to a folder that contains it is never
            entered.
        on_error: Called when a folder cannot be read; by default the error is raised.
    """
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        on_error(error)
        return
    for name in names:
        path = folder / name
        yield path
        if path.is_dir() and (not path.is_symlink() or (follow_links and not _contains_itself(path))):
            yield from walk(path, follow_links=follow_links, on_error=on_error)


def _contains_itself(link: Path) -> bool:
    return link.parent.resolve().is_relative_to(link.resolve())


def files_below(
    folder: Path, *, suffix: str = "", include_links: bool = True, on_error: Callable[[OSError], object] = _raise
) -> list[Path]:
    """
    Return the files below a folder, sorted by path: what is uploaded, hashed or counted of it.

    Args:
        folder: Where to look. Folders that are symbolic links are not entered.
        suffix: How the names of the files end; by default all files are returned.
        include_links: Whether symbolic links to files count as files.
        on_error: Called when a folder cannot be read; by default the error is raised.
    """
    return [
        path
        for path in walk(folder, on_error=on_error)
        if path.name.endswith(suffix) and path.is_file() and (include_links or not path.is_symlink())
    ]


def pack(sources: Iterable[Path], archive: Path, *, follow_links: bool = False) -> None:
    """
    Pack files, and the contents of folders, at the root of one ``.tar.gz``.

    Args:
        sources: Files and folders. If two have members of the same name, the member of the later one is packed.
        archive: The file to write.
        follow_links: Whether to pack what symbolic links point to, instead of the links.
    """
    with tarfile.open(archive, "w:gz", compresslevel=6, dereference=follow_links) as tar:
        for name, path in sorted(_members(sources, follow_links).items()):
            tar.add(path, arcname=name.as_posix(), recursive=False)


def _members(sources: Iterable[Path], follow_links: bool) -> dict[PurePath, Path]:
    """Map names in the archive to what is packed under them."""
    found: dict[PurePath, Path] = {}
    for source in sources:
        root = source if source.is_dir() else source.parent
        for path in walk(source, follow_links=follow_links) if source.is_dir() else [source]:
            name = path.relative_to(root)
            if name in found and _is_folder(found[name]) and not _is_folder(path):
                found = {other: there for other, there in found.items() if name not in other.parents}
            found[name] = path
    return found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def unpack(archive: Path, folder: Path, *, max_bytes: int | None = None, max_members: int = MAX_MEMBERS) -> None:
    """
    Unpack a tar archive, compressed or not, without writing anything outside a folder.

    Members called ``""``, ``"/"`` or ``"."`` stand for the folder itself (SageMaker's SDK writes one). If unpacking
    fails, what has been unpacked so far stays.

    Args:
        archive: The archive.
        folder: Where to unpack it; created if missing.
        max_bytes: How large the contents may be. Defaults to the free space of the disk.
        max_members: How many members the archive may have.

    Raises:
        ArchiveError: If it is missing, damaged, truncated or too large, or a member is a device, has an absolute path
            or would end up outside the folder.
        OSError: If the disk does not accept what is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        tar = tarfile.open(archive, "r:*")  # noqa: SIM115 - closed below
    except (*_DAMAGE, OSError) as error:
        raise ArchiveError(archive.name, str(error)) from error
    with tar:
        try:
            most_bytes = shutil.disk_usage(folder).free if max_bytes is None else max_bytes
            for member in _checked(tar, archive, most_bytes, max_members):
                tar.extract(member, folder, filter="data")
            while tar.fileobj is not None and tar.fileobj.read(_CHUNK):
                pass  # gzip's checksum comes after the last member
        except ArchiveError:
            raise
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # caused by the disk, not by the archive
            raise ArchiveError(archive.name, str(error)) from error


def _checked(tar: tarfile.TarFile, archive: Path, max_bytes: int, max_members: int) -> Iterator[tarfile.TarInfo]:
    """Yield the members to extract; tarfile's own filter rejects links that leave, and devices."""
    total = 0
    for number, member in enumerate(tar, start=1):
        if member.isdir() and member.name in _ROOT_NAMES:
            continue
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or member.name in _ROOT_NAMES:
            raise ArchiveError(archive.name, f"its member {member.name!r} leaves the folder")
        total += member.size
        if total > max_bytes:
            raise ArchiveError(archive.name, f"its contents are larger than {max_bytes:,} bytes")
        if number > max_members:
            raise ArchiveError(archive.name, f"it has more than {max_members:,} members")
        yield member


class OwnedFile(io.FileIO):
    """
    An open file of this process alone.

    A child process does not inherit it, and a forked one closes its copy, which would keep a lock after the parent has
    ended.

    Python closes it at the latest when nothing refers to it any more. So no interrupt can leak it, and with it a lock:
    neither between its opening and the ``try`` that closes it, nor between that ``try`` and its ``finally``.

    Args:
        path: The file.
        mode: As for ``open``.
    """

    def __init__(self, path: Path, mode: str = "rb") -> None:
        super().__init__(path, mode, opener=_open_privately)
        _owned_files.add(self)


def _open_privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


_owned_files: "weakref.WeakSet[OwnedFile]" = weakref.WeakSet()


def _close_inherited() -> None:
    for file in list(_owned_files):
        file.close()


os.register_at_fork(after_in_child=_close_inherited)


def hold_lock(path: Path, *, wait: bool = False) -> OwnedFile:
    """
    Lock a file exclusively, and return the open file that holds the lock until it is closed.

    Args:
        path: The file, created with its folder if missing.
        wait: Whether to wait for a lock that is held.

    Raises:
        BlockingIOError: If the lock is held, unless *wait* is true.
        OSError: If the file cannot be opened, or its file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = OwnedFile(path, "ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
            file.close()  # its last holder has deleted it, and others would lock a new one
        except FileNotFoundError:
            file.close()
        except BaseException:
            file.close()
            raise


def acquire_lock(path: Path, *, wait: bool = False) -> int:
    """
    Lock a file exclusively as `hold_lock` does, and return the descriptor that holds the lock.

    The lock lasts until the descriptor is closed in every process that has it, however those processes end. So it can
    be handed down to a child process (``pass_fds``) to show that the child is alive.
    """
    with hold_lock(path, wait=wait) as file:
        return os.dup(file.fileno())


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """
    Hold an exclusive lock on a file until the block ends; see `hold_lock`.

    Raises:
        BlockingIOError: If the lock is held, and *wait* is false.
    """
    with hold_lock(path, wait=wait):
        yield


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock on a file. Does not create the file."""
    try:
        with OwnedFile(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two callers do not see each other
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def atomic_path(path: Path, *, is_synced: bool = False) -> Iterator[Path]:
    """
    Yield a new path beside *path*; what the block writes there takes the place of *path* when the block ends.

    Other processes see the old contents or all of the new ones. If the block raises, *path* is unchanged, and what was
    written is deleted.

    Args:
        path: A file, new or to be replaced; or a folder that does not exist yet. Its parents are created if missing.
        is_synced: Whether to wait until the contents and the name are on the disk, so that they survive a power loss.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name[:64]}.{uuid.uuid4().hex}.part")
    try:
        yield draft
        if is_synced:
            sync(draft)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            delete(draft)
        raise
    if is_synced:
        sync(path.parent)


@contextmanager
def atomic_open(path: Path, *, is_synced: bool = False, is_private: bool = False) -> Iterator[BinaryIO]:
    """
    Yield a binary stream whose contents take the place of a file when the block ends; see `atomic_path`.

    Args:
        path: The file.
        is_synced: As for `atomic_path`.
        is_private: Whether only the user may read it, whatever the umask.
    """
    opener = _open_privately if is_private else None
    with atomic_path(path, is_synced=is_synced) as draft, open(draft, "wb", opener=opener) as stream:
        yield stream


def write_atomically(path: Path, content: bytes | str, *, is_synced: bool = False) -> None:
    """Write a whole file, a string as UTF-8, so that other processes see the old file or all of the new one."""
    with atomic_open(path, is_synced=is_synced) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


def sync(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with its contents, if it exists."""
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
