"""The SQLite database: shared by threads and processes, written in transactions."""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_tracking.embedded.store.blobs import Blobs
from mnist_tracking.embedded.store.filesystem import check_file_system
from mnist_tracking.embedded.store.migrations import migrate
from mnist_tracking.errors import ConfigError

_SYNCHRONOUS = {"normal": "NORMAL", "full": "FULL"}


class _Holder:
    """Owns the connection of one thread and closes it when the thread ends, but never in a forked child."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.pid = os.getpid()
        self._finalizer = weakref.finalize(self, _close_in_owner, connection, self.pid)

    def close(self) -> None:
        self._finalizer()


def _close_in_owner(connection: sqlite3.Connection, pid: int) -> None:
    if os.getpid() == pid:
        connection.close()
    else:
        _inherited.append(connection)


_inherited: list[
    sqlite3.Connection
] = []  # a forked child must never close its parent's connections: SQLite's locks belong to a process


class Store:
    """
    The state of an embedded SageMaker in a folder.

    Connections are one per process and thread, in WAL mode. Reads see a consistent snapshot; writes are serialised by
    SQLite across processes, and are atomic.
    """

    def __init__(self, home: Path, *, durability: str = "normal", busy_timeout_s: float = 60.0) -> None:
        if durability not in _SYNCHRONOUS:
            raise ConfigError(f"durability={durability!r}; expected one of {', '.join(map(repr, _SYNCHRONOUS))}.")
        self.home = home
        self.durability = durability
        self.path = home / "sagemaker.db"
        self._synchronous = _SYNCHRONOUS[durability]
        self._busy_timeout_s = busy_timeout_s
        self._start_process()
        _make_writable(home)
        check_file_system(home)
        self.blobs = Blobs(home / "s3", is_synced=durability == "full")
        try:
            migrate(self._connection())
        except ConfigError:
            self.close()
            raise
        except sqlite3.DatabaseError as error:
            self.close()
            raise ConfigError(
                f"{str(self.path)!r} cannot be used as the state of an embedded workspace: {error}."
            ) from error

    def _start_process(self) -> None:
        """Start without connections: at first, after `close`, and in a forked child, whose lock may be held."""
        self._pid = os.getpid()
        self._local = threading.local()
        self._holders: weakref.WeakSet[_Holder] = weakref.WeakSet()
        self._lock = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for reading. Inside a `write` of this thread, it sees what was written."""
        yield self._connection()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose reads all see the same state."""
        connection = self._connection()
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
        """Yield a connection in a transaction: committed when the block ends, rolled back when it raises."""
        connection = self._connection()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise

    def close(self) -> None:
        """Close every connection of this process."""
        with self._lock:
            for holder in list(self._holders):
                holder.close()
        self._start_process()

    def _connection(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            self._start_process()
        holder: _Holder | None = getattr(self._local, "holder", None)
        if holder is not None:
            return holder.connection
        holder = _Holder(self._open())
        self._local.holder = holder
        with self._lock:
            self._holders.add(holder)
        return holder.connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite has rolled back by itself if the disk is full
        connection.execute("ROLLBACK")


def _make_writable(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"home {str(home)!r} cannot be created: {error.strerror}. Choose a writable folder."
        ) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise ConfigError(f"home {str(home)!r} is not writable. Choose a writable folder.")
