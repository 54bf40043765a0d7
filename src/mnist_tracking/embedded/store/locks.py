"""
Locks of a home that do not depend on SQLite's own.

SQLite locks its files with POSIX locks, which a process loses as soon as any part of it closes any descriptor of the
file: a backup program, a copy, a hash (https://sqlite.org/howtocorrupt.html, 2.2). So writers and readers hold an
additional lock here, on files that nothing else has a reason to open, and of a kind that lasts when another descriptor
is closed. A home's `Presence` keeps other processes from believing that they are the last or the first to use it.
"""

import contextlib
import fcntl
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mnist_tracking._values.files import OwnedFile
from mnist_tracking.embedded.store.filesystem import HomeBusyError, HomeLostError

_FOLDER = "locks"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.02
_SHARED_RANGE = (0x40000002, 510)  # of the database: held by SQLite while a connection is open (SHARED_FIRST)
_DEAD_MAN_SWITCH = (128, 1)  # of -shm: held by SQLite while any process uses it (UNIX_SHM_DMS)
_IS_LINUX = sys.platform == "linux"
_SET_OWNED = getattr(fcntl, "F_OFD_SETLK", 90)  # 90 is macOS's, which Python does not name

Identity = tuple[int, int]
"""What tells a file from others, whatever its path: its device and inode."""


def identity_of(path: Path | str) -> Identity | None:
    """Return the identity of the file at a path; None if it does not exist."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Lane:
    """
    A lock between threads and processes, for one thread: others take it through lanes of their own.

    Args:
        home: The home.
        name: What the lock is for: ``"write"``, ``"read"`` or ``"contents"``.
    """

    def __init__(self, home: Path, name: str) -> None:
        self._home = str(home)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(home / _FOLDER, 0o700)
            self._file = OwnedFile(home / _FOLDER / name, "ab")
        except FileNotFoundError as error:
            raise HomeLostError(self._home) from error

    def try_take(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free."""
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def take(self, wait_s: float, *, shared: bool = False) -> None:
        """
        Take the lock.

        Raises:
            HomeBusyError: If it is held for *wait_s* seconds.
        """
        if self.try_take(shared=shared):
            return
        deadline, pause_s = time.monotonic() + wait_s, _FIRST_PAUSE_S
        while not self.try_take(shared=shared):
            if time.monotonic() >= deadline:
                raise HomeBusyError(self._home, wait_s)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def release(self) -> None:
        """Release the lock."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the lock for good."""
        self._file.close()

    @contextmanager
    def held(self, wait_s: float, *, shared: bool = False) -> Iterator[None]:
        """Hold the lock until the block ends."""
        self.take(wait_s, shared=shared)
        try:
            yield
        finally:
            self.release()


class Presence:
    """
    This process's presence in a home, for as long as any of its threads has a connection there.

    SQLite checkpoints and deletes the write-ahead log when the last connection of all processes is closed, and empties
    the index of the log when the first one is opened; it finds out by its POSIX locks. The locks held here cover the
    same bytes, belong to an open file instead of to the process, and so last.

    Attributes:
        database: The identity of the database.
        users: How many connections of this process there are.
        writers: Lets one thread of this process write at a time, so that only processes wait by polling.
    """

    def __init__(self, path: Path) -> None:
        """Take part in a home; a connection to its database must be open, and no other process may be opening one."""
        self._files: list[OwnedFile] = []
        self._identities = [identity_of(name) for name in used_files(path)]
        self.database = self._identities[0]
        self.check(used_files(path))
        self.users = 0
        self.writers = threading.Lock()
        for name, place in (path, _SHARED_RANGE), (Path(f"{path}-shm"), _DEAD_MAN_SWITCH):
            self._files.append(OwnedFile(name))
            _share(self._files[-1], *place)

    def close(self) -> None:
        """Leave the home, after the last connection is closed."""
        for file in self._files:
            file.close()

    def check(self, names: Sequence[str]) -> int:
        """
        Check that the files are those at their paths, so that other programs find what is written to them.

        Args:
            names: The paths, as `used_files` returns them.

        Returns:
            The size of the write-ahead log.

        Raises:
            HomeLostError: If they are not.
        """
        size = 0
        for name, identity in zip(names, self._identities, strict=True):
            try:
                found = os.stat(name)
            except OSError as error:
                raise HomeLostError(name) from error
            if (found.st_dev, found.st_ino) != identity or (identity is self.database and not found.st_size):
                raise HomeLostError(name)
            size = found.st_size
        return size

    def has_lost_log(self, names: Sequence[str]) -> bool:
        """Whether the write-ahead log, and nothing else, was deleted; *names* are as for `check`."""
        return [identity_of(name) for name in names] == [*self._identities[:-1], None]


def used_files(path: Path) -> tuple[str, ...]:
    """Return the files of a database that every process must share, the write-ahead log last."""
    return str(path), f"{path}-shm", str(path.parent / _FOLDER / "write"), f"{path}-wal"


def _share(file: OwnedFile, start: int, length: int) -> None:
    """Take a shared lock of an open file description, where the system has them."""
    order = "hhqqi4x" if _IS_LINUX else "qqihh"
    lock = (fcntl.F_RDLCK, os.SEEK_SET, start, length, 0) if _IS_LINUX else (start, length, 0, fcntl.F_RDLCK, 0)
    with contextlib.suppress(OSError):  # EINVAL: this system has none, and SQLite's own locks must do
        fcntl.fcntl(file, _SET_OWNED, struct.pack(order, *lock))
