"""
File handling that must not go wrong: walking folders, locking, and replacing files atomically.

Standard library only. Everything here works on paths of the local machine and knows nothing of AWS.
"""

import contextlib
import fcntl
import io
import os
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mnist_tracking.errors import ConfigError

__all__ = [
    "OwnedFile",
    "atomic_open",
    "atomic_path",
    "contents",
    "copy_tree",
    "delete",
    "files_below",
    "hold_lock",
    "is_folder",
    "is_home",
    "is_locked",
    "locked",
    "open_privately",
    "sync",
    "walk",
    "write_atomically",
]


DATABASE = "sagemaker.db"
"""The file that makes a folder the home of an embedded SageMaker."""


def is_home(folder: Path) -> bool:
    """
    Whether a folder is the home of an embedded SageMaker.

    Nothing of it is packed, uploaded, hashed or copied: it would grow with every run that keeps a copy of it in itself,
    and SQLite loses its locks on a file as soon as anything else in the process opens and closes that file.
    """
    return os.path.lexists(folder / DATABASE)


def _raise(error: OSError) -> None:
    raise error


def walk(folder: Path, *, follow_links: bool = False, on_error: Callable[[OSError], object] = _raise) -> Iterator[Path]:
    """
    Yield everything below a folder, sorted by path, each folder before its contents; homes of SageMaker are left out.

    A folder that is deleted meanwhile, or does not exist, has no contents. See `is_home` for what is left out.

    Args:
        folder: Where to start; not yielded itself.
        follow_links: Whether to enter folders that are symbolic links. A link to a folder that contains it is never
            entered.
        on_error: Called when a folder cannot be read; by default the error is raised.

    Raises:
        ConfigError: If the folder itself is the home of an embedded SageMaker.
    """
    if is_home(folder):
        raise ConfigError(
            f"{str(folder)!r} is the home of an embedded SageMaker, which is never copied or sent. Keep your files in "
            "another folder. EmbeddedSageMaker.backup() copies a home."
        )
    yield from _walk(folder, follow_links, on_error)


def _walk(folder: Path, follow_links: bool, on_error: Callable[[OSError], object]) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        on_error(error)
        return
    for name in names:
        path = folder / name
        if is_home(path) or (path.is_symlink() and is_home(Path(os.path.realpath(path)).parent)):
            continue
        yield path
        if path.is_dir() and (not path.is_symlink() or (follow_links and not _contains_itself(path))):
            yield from _walk(path, follow_links, on_error)


def _contains_itself(link: Path) -> bool:
    return Path(os.path.realpath(link.parent)).is_relative_to(os.path.realpath(link))


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


def contents(folder: Path, *, follow_links: bool = False) -> Iterator[Path]:
    """
    Yield what of a folder can be packed or copied: files, folders and symbolic links, each folder before its contents.

    As with git, what has no content is left out: FIFOs, sockets, devices. They could be waited for forever.

    Args:
        folder: Where to look; see `walk`.
        follow_links: Whether links are what they point to. A link that leads nowhere is left out then.
    """
    for path in walk(folder, follow_links=follow_links):
        if path.is_file() or path.is_dir() or (path.is_symlink() and not follow_links):
            yield path


def copy_tree(source: Path, target: Path) -> None:
    """
    Copy the `contents` of a folder to a new one; links are followed.

    Raises:
        OSError: If a file cannot be read or written.
    """
    target.mkdir(parents=True)
    for path in contents(source, follow_links=True):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
        else:
            shutil.copy2(path, copy)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder, and not a link to one."""
    return path.is_dir() and not path.is_symlink()


class OwnedFile(io.FileIO):
    """
    An open file of this process alone.

    A child process does not inherit it; a forked one closes its copy, which would keep a lock after the parent's end.
    Python closes it at the latest when nothing refers to it any more. So no interrupt can leak it, and with it a lock:
    neither between its opening and the ``try`` that closes it, nor between that ``try`` and its ``finally``.

    Args:
        path: The file.
        mode: As for ``open``.
    """

    def __init__(self, path: Path, mode: str = "rb") -> None:
        super().__init__(path, mode, opener=open_privately)
        _owned_files.add(self)


def open_privately(path: str, flags: int) -> int:
    """Open a file so that only the user may read it if it is new: an opener for ``open``."""
    return os.open(path, flags, 0o600)


_owned_files: "weakref.WeakSet[OwnedFile]" = weakref.WeakSet()


def _close_inherited() -> None:
    for file in list(_owned_files):
        file.close()


os.register_at_fork(after_in_child=_close_inherited)


def hold_lock(path: Path, *, wait: bool = False) -> OwnedFile:
    """
    Lock a file exclusively, and return the open file that holds the lock until it is closed.

    The lock lasts until the file is closed in every process that has it, however those processes end. So it can be
    handed down to a child process (``pass_fds``) to show that the child is alive.

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
    opener = open_privately if is_private else None
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
    if is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
