"""One thread's connection to a home's database: how it is opened, locked while it is used, and closed."""

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_tracking.embedded.store.filesystem import HomeLostError
from mnist_tracking.embedded.store.locks import Identity, Lane, Presence, identity_of

_LONG_LOG = 4 << 20  # bytes of write-ahead log after which it is written to the database, as SQLite's own default
_inherited: list[sqlite3.Connection] = []
"""A forked child must never close its parent's connections: SQLite believes that they are the child's."""


class _Presences:
    """The presences of this process, by the identity of the database; a forked child starts without."""

    def __init__(self) -> None:
        self.clear()
        os.register_at_fork(after_in_child=self.clear)

    def clear(self) -> None:
        self.lock = threading.Lock()
        self.found: weakref.WeakValueDictionary[Identity | None, Presence] = weakref.WeakValueDictionary()


_presences = _Presences()


class Link:
    """
    The connection of one thread, which alone uses it.

    Others may close it at any time: that happens at once, or when the thread no longer uses it.

    Args:
        path: The database, which must exist.
        synchronous: SQLite's setting of that name.
        wait_s: How long to wait for other programs.
    """

    def __init__(self, path: Path, synchronous: str, wait_s: float) -> None:
        self._pid = os.getpid()
        self._path, self._wait_s = path, wait_s
        self._log = f"{path}-wal"
        self._writing, self._reading = Lane(path.parent, "write"), Lane(path.parent, "read")
        self._in_use, self._is_ending, self._depth = threading.Lock(), False, 0
        if not path.exists():
            raise HomeLostError(str(path))
        with _presences.lock:
            presence = _presences.found.get(identity_of(path))
            if presence is None:
                with self._writing.held(wait_s):
                    self.connection = _connect(path, synchronous, wait_s)
                    presence = Presence(path)
                _presences.found[presence.database] = presence
            else:
                self.connection = _connect(path, synchronous, wait_s)
        self._presence = presence
        self.database = presence.database
        presence.check()

    def __del__(self) -> None:
        if hasattr(self, "connection"):
            self._close()

    @property
    def is_open(self) -> bool:
        """Whether the connection can be used."""
        return not self._is_ending

    def end(self) -> None:
        """Close the connection as soon as its thread does not use it."""
        self._is_ending = True
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._in_use.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._in_use.release()

    def _close(self) -> None:
        if self._pid == os.getpid():
            self.connection.close()
        else:
            _inherited.append(self.connection)

    @contextmanager
    def _used(self) -> Iterator[None]:
        """Keep others from closing the connection."""
        if self._depth == 0:
            self._in_use.acquire()
        self._depth += 1
        try:
            yield
        except HomeLostError:
            self._is_ending = True
            raise
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._in_use.release()
                if self._is_ending:
                    self._close_if_idle()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection while no other program may overwrite what it reads."""
        with self._used():
            if self._depth > 1:
                yield self.connection
                return
            self._reading.take(self._wait_s, shared=True)
            try:
                yield self.connection
            finally:
                self._reading.release()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction that only reads."""
        with self.read() as connection:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction that writes, committed only if others will find it."""
        with self._used():
            if self.connection.in_transaction:
                yield self.connection
                return
            with self.exclusive():
                self.connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self.connection
                    self._presence.check()
                    self.connection.execute("COMMIT")
                except BaseException:
                    _roll_back(self.connection)
                    raise
                if os.stat(self._log).st_size > _LONG_LOG:
                    self._empty_log()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """
        Keep all others from writing.

        Raises:
            TimeoutError: If others write for too long.
        """
        if not self._presence.writers.acquire(timeout=self._wait_s):
            raise TimeoutError(f"Another thread has been writing to {str(self._path)!r} for {self._wait_s:g} s.")
        try:
            with self._writing.held(self._wait_s):
                if not self._writing.is_in_place():
                    raise HomeLostError(str(self._path))
                yield
        finally:
            self._presence.writers.release()

    def empty_log_if_idle(self) -> None:
        """Write the log to the database if nobody uses either, so that a copy of the database is complete."""
        if self._in_use.acquire(blocking=False):
            try:
                if self._writing.try_take():
                    self._empty_log()
                    self._writing.release()
            finally:
                self._in_use.release()

    def _empty_log(self) -> None:
        """Write the log to the database, unless somebody reads; only while holding the lock for writing."""
        if self._depth > 1 or not self._reading.try_take():
            return
        try:
            with contextlib.suppress(sqlite3.OperationalError):  # a full disk, or SQLite's own tools: later, then
                self.connection.execute("PRAGMA busy_timeout = 0")
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                self.connection.execute(f"PRAGMA busy_timeout = {int(self._wait_s * 1000)}")
        finally:
            self._reading.release()


def _connect(path: Path, synchronous: str, wait_s: float) -> sqlite3.Connection:
    """Connect to an existing database, and open its write-ahead log."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA user_version")
    return connection


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite has rolled back by itself if the disk is full
        connection.execute("ROLLBACK")
