"""One thread's connection to a home's database: how it is opened, locked while it is used, and closed."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path

from mnist_tracking.embedded.store.filesystem import HomeBusyError, HomeLostError
from mnist_tracking.embedded.store.forks import gate
from mnist_tracking.embedded.store.locks import Identity, Lane, Presence, identity_of, used_files

_LONG_LOG = 4 << 20  # bytes of write-ahead log after which it is written to the database, as SQLite's own default
_to_close: "list[Link]" = []
"""Those that could not be closed when nothing referred to them any more, since another thread forked."""
_inherited: list[sqlite3.Connection] = []
"""A forked child must never close its parent's connections: SQLite believes that they are the child's."""


class _Presences:
    """The presences of this process, by the identity of the database; a forked child starts without."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        self.lock = threading.RLock()  # a connection may be collected, and so closed, wherever Python likes
        self._found: dict[Identity | None, Presence] = {}

    def find(self, path: Path) -> Presence | None:
        """Add a user to the presence for a database and return it; None if not found. The caller holds the lock."""
        presence = self._found.get(identity_of(path))
        if presence is not None:
            presence.users += 1
        return presence if presence in self._found.values() else None

    def add(self, path: Path) -> Presence:
        """Create a presence with one user. The caller holds the lock."""
        presence = Presence(path)
        presence.users = 1
        self._found[presence.database] = presence
        return presence

    def leave(self, presence: Presence) -> None:
        """Take back a user; the last one ends the presence."""
        with self.lock:
            presence.users -= 1
            if presence.users == 0:
                self._found.pop(presence.database, None)
                presence.close()


_presences = _Presences()


class _Opened:
    """An open connection, its locks, and the presence that must last as long."""

    def __init__(
        self, connection: sqlite3.Connection, writing: Lane, reading: Lane, presence: Presence, names: tuple[str, ...]
    ) -> None:
        self.connection, self.writing, self.reading, self.presence = connection, writing, reading, presence
        self._names = names

    def check(self) -> int:
        """See `Presence.check`."""
        return self.presence.check(self._names)

    def has_lost_log(self) -> bool:
        """See `Presence.has_lost_log`."""
        return self.presence.has_lost_log(self._names)

    def close(self) -> None:
        """Close the connection and release the locks."""
        self.connection.close()
        self.writing.close()
        self.reading.close()
        _presences.leave(self.presence)


class Link:
    """
    The connection of one thread, which alone uses it. It is opened when it is used.

    Others may close it at any time: that happens at once, or when the thread no longer uses it.

    Args:
        path: The database, which must exist.
        synchronous: SQLite's setting of that name.
        wait_s: How long to wait for other programs.
        database: Which file it must be; None for any.
    """

    def __init__(self, path: Path, synchronous: str, wait_s: float, database: Identity | None) -> None:
        self._pid = os.getpid()
        self._path, self._synchronous, self._wait_s = path, synchronous, wait_s
        self.database = database
        self._opened: _Opened | None = None
        self._in_use, self._is_ending, self._depth = threading.Lock(), False, 0

    def __del__(self) -> None:
        if not gate.try_enter():
            _to_close.append(self)
            return
        try:
            self._close()
        finally:
            gate.leave()

    def end(self) -> None:
        """Close the connection as soon as its thread does not use it."""
        self._is_ending = True
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._try_acquire():
            try:
                self._close()
            finally:
                self._release()

    def _close(self) -> None:
        opened, self._opened, self._is_ending = self._opened, None, False
        if opened is None:
            return
        if self._pid == os.getpid():
            opened.close()
        else:
            _inherited.append(opened.connection)

    def _enter(self) -> _Opened:
        """Keep others from closing the connection; open it if it is closed."""
        if self._depth == 0:
            gate.enter()
            if _to_close:
                _close_left()
            self._in_use.acquire()
            try:
                self._opened = self._opened or self._open()
            except BaseException:
                self._release()
                raise
        self._depth += 1
        assert self._opened is not None  # noqa: S101 - for the type checker
        return self._opened

    def _leave(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._release()
            if self._is_ending:
                self._close_if_idle()

    def _try_acquire(self) -> bool:
        """Keep the connection's own thread from using it, unless it does."""
        gate.enter()
        if self._in_use.acquire(blocking=False):
            return True
        gate.leave()
        return False

    def _release(self) -> None:
        self._in_use.release()
        gate.leave()

    def _open(self) -> _Opened:
        if not (self._path.exists() and self._path.stat().st_size):
            raise HomeLostError(str(self._path))  # SQLite would create a new one
        with ExitStack() as undo:
            writing, reading = (
                undo.enter_context(closing(Lane(self._path.parent, name))) for name in ("write", "read")
            )
            with _presences.lock:
                presence = _presences.find(self._path)
                with writing.held(self._wait_s) if presence is None else nullcontext():
                    if presence is not None:
                        undo.callback(_presences.leave, presence)
                    connection = undo.enter_context(closing(_connect(self._path, self._synchronous, self._wait_s)))
                    if presence is None:
                        presence = _presences.add(self._path)
                        undo.callback(_presences.leave, presence)
            opened = _Opened(connection, writing, reading, presence, used_files(self._path))
            opened.check()
            if self.database not in (None, presence.database):
                raise HomeLostError(str(self._path))
            self.database = presence.database
            undo.pop_all()
        return opened

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection while no other program may overwrite what it reads."""
        opened = self._enter()
        is_outermost = self._depth == 1
        try:
            if is_outermost:
                opened.reading.take(self._wait_s, shared=True)
            yield opened.connection
        finally:
            if is_outermost:
                opened.reading.release()
            self._leave()

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
        opened = self._enter()
        try:
            if opened.connection.in_transaction:
                yield opened.connection
                return
            self._exclude_others(opened)
            try:
                opened.connection.execute("BEGIN IMMEDIATE")
                yield opened.connection
                log_size = opened.check()
                opened.connection.execute("COMMIT")
                if log_size > _LONG_LOG:
                    self._empty_log(opened)
            except BaseException:
                _roll_back(opened.connection)
                if opened.has_lost_log():
                    self._empty_log(opened)  # it is still open: what was acknowledged is saved to the database
                raise
            finally:
                _readmit_others(opened)
        except HomeLostError:
            self._is_ending = True
            raise
        finally:
            self._leave()

    @contextmanager
    def exclusive(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection, without a transaction, while nobody else writes."""
        opened = self._enter()
        try:
            self._exclude_others(opened)
            try:
                opened.check()
                yield opened.connection
            finally:
                _readmit_others(opened)
        finally:
            self._leave()

    def _exclude_others(self, opened: _Opened) -> None:
        """Wait until nobody else writes, and keep all others from it."""
        writers = opened.presence.writers
        if not writers.acquire(timeout=self._wait_s):
            raise HomeBusyError(str(self._path.parent), self._wait_s)
        try:
            opened.writing.take(self._wait_s)
        except BaseException:
            writers.release()
            raise

    def empty_log_if_idle(self) -> None:
        """Write the log to the database if nobody uses either, so that a copy of the database is complete."""
        if not self._try_acquire():
            return
        try:
            opened = self._opened
            if opened is not None and opened.writing.try_take():
                self._empty_log(opened)
                opened.writing.release()
        finally:
            self._release()

    def _empty_log(self, opened: _Opened) -> None:
        """Write the log to the database, unless somebody reads; only while holding the lock for writing."""
        if self._depth > 1 or not opened.reading.try_take():
            return
        connection = opened.connection
        try:
            with contextlib.suppress(sqlite3.OperationalError):  # a full disk, or SQLite's own tools: later, then
                connection.execute("PRAGMA busy_timeout = 0")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute(f"PRAGMA busy_timeout = {int(self._wait_s * 1000)}")
        finally:
            opened.reading.release()


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


def _close_left() -> None:
    with contextlib.suppress(IndexError):  # other threads may do the same
        while True:
            _to_close.pop()._close()


def _readmit_others(opened: _Opened) -> None:
    opened.writing.release()
    opened.presence.writers.release()


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite has rolled back by itself if the disk is full
        connection.execute("ROLLBACK")
