"""
Start a job's supervisor, reach it, and end jobs that have lost theirs.

A supervisor holds a lock for as long as it lives; the lock is taken before the job is visible. So a job that has not
ended and whose lock is free has lost its supervisor. Everything that reads jobs calls `recover_lost_jobs` first.
"""

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from mnist_tracking._values.files import OwnedFile, hold_lock, is_folder, is_locked
from mnist_tracking.embedded.containment import kill_marked
from mnist_tracking.embedded.disk import delete_all
from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.jobs.container import UPDATES, Layout
from mnist_tracking.embedded.jobs.hosts import hosts_of
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.filesystem import is_storage_error
from mnist_tracking.embedded.supervision import SupervisorSettings, last_words, start_detached

_MODULE = "mnist_tracking.embedded.jobs.supervisor"

_LOST = "InternalServerError: the process that supervised this job was killed, or the machine was restarted."

_NOT_STARTED = (
    "InternalServerError: the job was not started: the program that created it ended, or its supervisor failed."
)


class Launch:
    """
    Starts a job's supervisor, in two steps around the commit of the job's row.

    `prepare` is called before the row is visible, so that the job is never taken for lost; `start` after it, so that
    the supervisor finds the row.
    """

    def __init__(self, store: Store, name: str, settings: SupervisorSettings) -> None:
        self._store, self._name, self._settings = store, name, settings
        self._lock: OwnedFile | None = None

    def prepare(self) -> None:
        """
        Create the job's folder, for this user only, and take the lock for the supervisor.

        In the transaction that inserts the job's row, so that its folder is never taken for an orphan.
        """
        delete_orphans(self._store)
        folder = state.job_folder(self._store.home, self._name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._settings.write(folder)
        self._lock = hold_lock(supervisor_lock(self._store, self._name))

    def drop_lock(self) -> None:
        """Release the lock in this process; the supervisor, if it was started, still has it."""
        if self._lock is not None:
            self._lock.close()

    def start(self) -> None:
        """Start the supervisor, or fail the job if that is not possible."""
        lock = self._lock
        assert lock is not None, "prepare must be called first"  # noqa: S101 - for the type checker
        folder = state.job_folder(self._store.home, self._name)
        try:
            start_detached(_MODULE, [str(self._store.home), self._name, str(lock.fileno())], lock=lock, folder=folder)
        except OSError as error:
            self._fail(f"InternalServerError: the job's supervisor could not be started: {error}")

    def _fail(self, reason: str) -> None:
        with self._store.write() as connection:
            job = state.read_job(connection, self._name)
            if job is not None and job["status"] not in state.ENDED:  # not taken for lost meanwhile
                state.end_job(connection, job["id"], status="Failed", reason=reason, now=time.time())


def delete_orphans(store: Store) -> None:
    """
    Delete the folders of jobs whose creation was not committed, since their program ended.

    In a transaction, as a creation, so that none is taken for an orphan meanwhile.
    """
    with store.write() as connection, contextlib.suppress(FileNotFoundError):
        names = {row["name"] for row in connection.execute("SELECT name FROM training_jobs")}
        for folder in state.job_folder(store.home, "").iterdir():
            lock = supervisor_lock(store, folder.name)
            if folder.name not in names and _is_ours(folder, lock) and not is_locked(lock):
                delete_all(folder, store.home)


def _is_ours(folder: Path, lock: Path) -> bool:
    """Whether `Launch.prepare` has made a folder, however far it got."""
    return is_folder(folder) and (lock.is_file() or SupervisorSettings.are_in(folder) or not any(folder.iterdir()))


def signal_stop(store: Store, job: sqlite3.Row) -> None:
    """
    Signal a job's supervisor, if it is alive: its held lock shows that the recorded process is still the supervisor.

    A supervisor without a recorded process has just been started, and reads from the job's row that it must stop.
    """
    if job["supervisor_pid"] and is_locked(supervisor_lock(store, job["name"])):
        with contextlib.suppress(ProcessLookupError):
            os.kill(job["supervisor_pid"], signal.SIGTERM)


def supervisor_lock(store: Store, name: str) -> Path:
    """Return the lock file of a job's supervisor."""
    return state.job_folder(store.home, name) / "supervisor.lock"


def recover_lost_jobs(store: Store, now: float, name: str | None = None) -> None:
    """End jobs that have lost their supervisor: the one of that name, or all."""
    where, values = ("AND name = ?", (name,)) if name else ("", ())
    query = f"SELECT * FROM training_jobs WHERE status IN ('InProgress', 'Stopping') {where}"
    with store.read() as connection:
        jobs = connection.execute(query, values).fetchall()
    for job in jobs:
        recover(store, job, now)


def recover(store: Store, job: sqlite3.Row, now: float) -> None:
    """
    End a job as Failed and kill what is left of it, if it has not ended and has lost its supervisor.

    Its files are deleted first, which makes room to record the end. If the store still cannot be written, the job stays
    as it is: this is part of a read, which must not fail, and the next one tries again.
    """
    name = job["name"]
    folder = state.job_folder(store.home, name)
    if job["status"] in state.ENDED:
        return
    if is_locked(supervisor_lock(store, name)):
        if job["status"] == "Stopping":
            signal_stop(store, job)  # again: the program that stopped it may have ended before it could
        return
    reason = (_LOST if job["supervisor_pid"] else _NOT_STARTED) + last_words(folder)
    _kill_orphans(store, job)
    delete_all(folder / "ml", store.home)
    with _unless_it_cannot_be_written(), store.write() as connection:
        fresh = state.read_job(connection, name)
        if fresh is not None and fresh["status"] not in state.ENDED:
            state.end_job(connection, fresh["id"], status="Failed", reason=reason, now=now)


@contextlib.contextmanager
def _unless_it_cannot_be_written() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if not is_storage_error(error):
            raise


def _kill_orphans(store: Store, job: sqlite3.Row) -> None:
    """Kill daemons that outlived both the supervisor and its guard; these have taken all other processes with them."""
    request, name = state.request_of(job), job["name"]
    for host in hosts_of(request):
        kill_marked(UPDATES, str(Layout.of(state.ml_of(store, name, host.name), request).updates))
