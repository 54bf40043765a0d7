"""Start a job's supervisor, and reach it."""

import contextlib
import os
import signal
import sqlite3
import time

from mnist_tracking._values.files import acquire_lock, is_locked
from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.jobs.liveness import supervisor_lock
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.supervision import Settings, start_detached

_MODULE = "mnist_tracking.embedded.jobs.supervisor"


class Launch:
    """
    The start of one job's supervisor, in two steps around the commit of the job's row.

    `take_lock` comes before the row is visible, so that nobody takes the job for lost; `start` comes after it, so that
    the supervisor finds the row.
    """

    def __init__(self, store: Store, name: str, settings: Settings) -> None:
        self._store, self._name, self._settings = store, name, settings
        self._lock: int | None = None

    def take_lock(self) -> None:
        """Take the lock that the supervisor is to hold."""
        self._lock = acquire_lock(supervisor_lock(self._store, self._name))

    def drop_lock(self) -> None:
        """Let go of the lock, unless the supervisor has it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def start(self) -> None:
        """Start the supervisor; a job whose supervisor cannot be started has failed."""
        lock, self._lock = self._lock, None
        assert lock is not None, "take_lock comes first"  # noqa: S101 - for the type checker
        folder = state.folder_of(self._store.home, self._name)
        try:
            self._settings.write(folder)
            start_detached(_MODULE, [str(self._store.home), self._name, str(lock)], lock=lock, folder=folder)
        except OSError as error:
            self._fail(f"InternalServerError: the job's supervisor could not be started: {error}")

    def _fail(self, reason: str) -> None:
        with self._store.write() as connection:
            job = state.read_job(connection, self._name)
            if job is not None and job["status"] not in state.ENDED:  # nobody has taken it for lost meanwhile
                state.end_job(connection, job["id"], status="Failed", reason=reason, now=time.time())


def ask_to_stop(store: Store, job: sqlite3.Row) -> None:
    """
    Signal a job's supervisor, if it lives: its lock says that the recorded process is still that one.

    Without a recorded process it has just been started, and sees for itself that the job is to be stopped.
    """
    if job["supervisor_pid"] and is_locked(supervisor_lock(store, job["name"])):
        with contextlib.suppress(ProcessLookupError):
            os.kill(job["supervisor_pid"], signal.SIGTERM)
