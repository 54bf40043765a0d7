"""What a supervisor writes to the store about its job, although the disk may be full."""

import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.jobs.metric_values import Lines, MetricValue
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.filesystem import is_storage_error

T = TypeVar("T")
Change = Callable[[sqlite3.Connection, int], object]
"""Called with a connection in a transaction, and the job's row."""

_MOST_PENDING = 1 << 26  # bytes of text in memory; a job that prints more waits until there is room
_WEIGHT_OF_VALUE = 100  # bytes


class Journal:
    """
    The log, the metrics and the status of one job.

    A store that cannot be written for a while does not fail the job. What is added is kept in memory and written, in
    its order, once there is room again, and before anything that follows it.

    Args:
        store: The store.
        job_id: The job's row.
        retry_s: How long to wait between two attempts to write.
        check: Called before each attempt; ends the process if the job's folder was deleted.
    """

    def __init__(self, store: Store, job_id: int, *, retry_s: float, check: Callable[[], object]) -> None:
        self._store, self._job_id, self._retry_s, self._check = store, job_id, retry_s, check
        self._pending: list[Change] = []
        self._weight = 0
        self._lock = threading.Lock()  # checkpoints are sent in a thread of their own

    def record(self, stream: str, lines: Lines, values: list[MetricValue]) -> None:
        """Add lines and metrics. If too many are pending, wait until they can be written."""
        if lines or values:
            self._weight += sum(len(text) for _, text in lines) + _WEIGHT_OF_VALUE * len(values)
            self.add(partial(state.record, stream=stream, lines=lines, values=values))
            if self._weight > _MOST_PENDING:
                self.write(_nothing)
        elif self._pending:
            self._try(_nothing)

    def add(self, change: Change) -> None:
        """Make a change, now if that is possible."""
        with self._lock:
            self._pending.append(change)
        self._try(_nothing)

    def write(self, do: Callable[[sqlite3.Connection, int], T]) -> T:
        """Call *do* with a connection in a transaction and the job's row; wait until the store can be written."""
        while (done := self._try(do)) is None:
            time.sleep(self._retry_s)
        return done[0]

    def _try(self, do: Callable[[sqlite3.Connection, int], T]) -> tuple[T] | None:
        self._check()
        with self._lock:
            try:
                with self._store.write() as connection:
                    for change in self._pending:
                        change(connection, self._job_id)
                    done = do(connection, self._job_id)
            except (sqlite3.Error, OSError) as error:
                if not _is_momentary(error):
                    raise
                return None
            self._pending, self._weight = [], 0
            return (done,)


def _nothing(_connection: sqlite3.Connection, _job_id: int) -> None:
    """Add nothing to what is pending."""


def _is_momentary(error: sqlite3.Error | OSError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return is_storage_error(error) or code == sqlite3.SQLITE_LOCKED
