"""
File handling that must not go wrong: walking folders, locking, and replacing files atomically.

Standard library only. Everything here works on paths of the local machine and knows nothing of AWS.
"""

import contextlib
import errno
import fcntl
import io
import os
import shutil
import stat
import uuid
import weakref
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mnist_tracking.errors import ConfigError

__all__ = [
    "HOME",
    "UNREADABLE",
    "LeftOut",
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


LeftOut = Callable[[Path, str], object]
"""Called with the path of what is left out, and why, as the end of a sentence: ``"is a FIFO"``."""

HOME = "is the home of an embedded SageMaker"
UNREADABLE = "cannot be read"
_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}


def contents(folder: Path, left_out: LeftOut, *, without: Container[str] = ()) -> Iterator[Path]:
    """
    Yield what is sent of a folder: packed, uploaded, hashed or copied. Each folder comes before its contents, sorted.

    All of them are files and folders: a symbolic link is what it points to, in the folder or elsewhere. What has no
    content is left out: links to nothing or to a folder that they are in, FIFOs, sockets, devices, what cannot be read,
    and homes of SageMaker, see `is_home`. What is deleted meanwhile, or does not exist, has no contents.

    Args:
        folder: Where to start; not yielded itself.
        left_out: Called for everything that is left out.
        without: Names to pass over in silence.

    Raises:
        ConfigError: If the folder itself is the home of an embedded SageMaker.
    """
    if is_home(folder):
        raise ConfigError(
            f"{str(folder)!r} is the home of an embedded SageMaker, which is never copied or sent. Keep your files in "
            "another folder. EmbeddedSageMaker.backup() copies a home."
        )
    yield from _contents(folder, left_out, without, {_identity(folder)})


def _contents(folder: Path, left_out: LeftOut, without: Container[str], above: set[object]) -> Iterator[Path]:
    for name in _names(folder):
        path = folder / name
        if name in without:
            continue
        if reason := _unsendable(path, above):
            left_out(path, reason)
        elif path.is_dir():
            yield path
            yield from _contents(path, left_out, without, above | {_identity(path)})
        elif path.exists():
            yield path


def _names(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(os.listdir(folder))
    return []


def _identity(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _unsendable(path: Path, above: Container[object]) -> str:
    """Return why a path is left out, below folders of these identities; empty if it is not."""
    if is_home(path) or (path.is_symlink() and is_home(Path(os.path.realpath(path)).parent)):
        return HOME
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return _unreachable(path, error)
    if stat.S_ISDIR(mode):
        if _identity(path) in above:
            return "is a link to a folder that it is in"
        return "" if os.access(path, os.R_OK | os.X_OK) else UNREADABLE
    if kind := _KINDS.get(stat.S_IFMT(mode)):
        return f"is {kind}"
    return "" if os.access(path, os.R_OK) else UNREADABLE


def _unreachable(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "is a link to itself"
    if not isinstance(error, FileNotFoundError):
        return UNREADABLE
    return f"is a link to {os.readlink(path)!r}, which does not exist" if path.is_symlink() else ""


def files_below(folder: Path) -> list[Path]:
    """Return the files that are below a folder themselves, sorted by path: no links, and nothing that they lead to."""
    return sorted(
        path
        for parent, _, names in os.walk(folder, onerror=_raise_unless_gone)
        for path in (Path(parent, name) for name in names)
        if path.is_file() and not path.is_symlink()
    )


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def copy_tree(source: Path, target: Path, left_out: LeftOut) -> None:
    """
    Copy the `contents` of a folder to a new one.

    Raises:
        OSError: If a file cannot be read or written.
    """
    target.mkdir(parents=True)
    for path in contents(source, left_out):
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
