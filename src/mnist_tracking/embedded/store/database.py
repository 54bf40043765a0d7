"""The SQLite database: shared by threads and processes, written in transactions."""

import os
import sqlite3
import threading
import weakref
from contextlib import AbstractContextManager, closing
from pathlib import Path

from mnist_tracking.embedded.store.blobs import Blobs
from mnist_tracking.embedded.store.creation import check_origin, create_database, open_home
from mnist_tracking.embedded.store.filesystem import check_file_system
from mnist_tracking.embedded.store.links import Link
from mnist_tracking.embedded.store.locks import Identity, Lane
from mnist_tracking.embedded.store.migrations import is_current, migrate
from mnist_tracking.errors import ConfigError

_MUCH_FREE = 256  # pages: 1 MB
_SYNCHRONOUS = {"normal": "NORMAL", "full": "FULL"}


class Store:
    """
    The state of an embedded SageMaker in a folder.

    Connections are one per process and thread, in WAL mode. Reads see a consistent snapshot; writes are serialised
    across processes, and are atomic. Other programs may open, copy and close the files at any time, also in this
    process. A home that is moved, deleted or replaced while it is in use makes writes fail.

    Raises:
        ConfigError: If the folder cannot be used, or what it contains is not, or no longer, a store.
    """

    def __init__(self, home: Path, *, durability: str = "normal", busy_timeout_s: float = 60.0) -> None:
        if durability not in _SYNCHRONOUS:
            raise ConfigError(f"durability={durability!r}; expected one of {', '.join(map(repr, _SYNCHRONOUS))}.")
        self.home = home
        self.durability = durability
        self.path = home / "sagemaker.db"
        self._synchronous = _SYNCHRONOUS[durability]
        self._busy_timeout_s = busy_timeout_s
        self._database: Identity | None = None
        self._start_process()
        open_home(home)
        check_file_system(home)
        self.blobs = Blobs(home / "s3", is_synced=durability == "full", wait_s=busy_timeout_s)
        try:
            self._create()
        except ConfigError:
            self.close()
            raise
        except (sqlite3.DatabaseError, OSError) as error:
            self.close()
            raise ConfigError(
                f"{str(self.path)!r} cannot be used as the state of an embedded workspace: {error}."
            ) from error

    def _create(self) -> None:
        """Create or update the database; whatever kills or interrupts this, the next one completes it."""
        lane = Lane(self.home, "write")
        with closing(lane), lane.held(self._busy_timeout_s):
            create_database(self.home, self.path)
        with self.read() as connection:
            self._database = self._link().database
            if is_current(connection):
                return
        with self.write() as connection:
            check_origin(connection, self.home)
            migrate(connection)

    def _start_process(self) -> None:
        """Start without connections: at first, and in a forked child, whose lock may be held."""
        self._pid = os.getpid()
        self._local = threading.local()
        self._links: weakref.WeakSet[Link] = weakref.WeakSet()
        self._lock = threading.Lock()

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """Yield a connection for reading. Inside a `write` of this thread, it sees what was written."""
        return self._link().read()

    def snapshot(self) -> AbstractContextManager[sqlite3.Connection]:
        """Yield a connection whose reads all see the same state."""
        return self._link().snapshot()

    def write(self) -> AbstractContextManager[sqlite3.Connection]:
        """
        Yield a connection in a transaction: committed when the block ends, rolled back when it raises.

        Raises:
            HomeLostError: If the home has been moved, deleted or replaced. Nothing is written.
            HomeBusyError: If others write for too long.
        """
        return self._link().write()

    def shrink(self) -> None:
        """Give the space of deleted rows back to the disk, if it is much."""
        with self.read() as connection:
            names = ("auto_vacuum", "freelist_count", "page_count")
            is_incremental, free, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
        if free < max(_MUCH_FREE, pages // 4):
            return
        if is_incremental:
            with self.write() as connection:
                for _ in range(free):
                    connection.execute("PRAGMA incremental_vacuum")  # by Python, it frees one page at a time
        else:  # created by an older version; from now on, it is
            with self._link().exclusive() as connection:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("VACUUM")
        self._link().empty_log_if_idle()

    def close(self) -> None:
        """Close every connection of this process; those that other threads use now, when they no longer do."""
        with self._lock:
            links = list(self._links)
        for link in links[:1]:
            link.empty_log_if_idle()
        for link in links:
            link.end()

    def _link(self) -> Link:
        if self._pid != os.getpid():
            self._start_process()
        link: Link | None = getattr(self._local, "link", None)
        if link is None:
            link = self._local.link = Link(self.path, self._synchronous, self._busy_timeout_s, self._database)
            with self._lock:
                self._links.add(link)
        return link
