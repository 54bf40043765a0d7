"""
Notice jobs whose supervisor is gone, and end them.

A job's supervisor holds a lock for as long as it lives; its creator took it before the job was visible. So a job that
is not over and whose lock is free has lost its supervisor. Whoever looks at jobs calls `recover_lost` first.
"""

import contextlib
import shutil
import sqlite3
from pathlib import Path

from mnist_tracking._values.files import is_locked
from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.jobs.container import Layout
from mnist_tracking.embedded.jobs.environment import UPDATES
from mnist_tracking.embedded.jobs.hosts import hosts_of
from mnist_tracking.embedded.jobs.process_trees import kill_marked, kill_tree
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.supervision import last_words

_LOST = "InternalServerError: the process that supervised this job was killed, or the machine was restarted."


def supervisor_lock(store: Store, name: str) -> Path:
    """Return the lock that a job's supervisor holds."""
    return state.folder_of(store.home, name) / "supervisor.lock"


def script_lock(store: Store, name: str, host: str) -> Path:
    """Return the lock that a job's script on one host holds, and its supervisor."""
    return state.folder_of(store.home, name) / f"{host}.lock"


def script_pid(store: Store, name: str, host: str) -> Path:
    """Return the file that tells the process id of a job's script on one host, which leads a process group."""
    return state.folder_of(store.home, name) / f"{host}.pid"


def recover_lost(store: Store, now: float, name: str | None = None) -> None:
    """End jobs whose supervisor is gone: the one of that name, or all."""
    where, values = ("AND name = ?", (name,)) if name else ("", ())
    query = f"SELECT * FROM training_jobs WHERE status IN ('InProgress', 'Stopping') {where}"
    with store.read() as connection:
        jobs = connection.execute(query, values).fetchall()
    for job in jobs:
        recover(store, job, now)


def recover(store: Store, job: sqlite3.Row, now: float) -> None:
    """End a job as Failed, and kill what is left of its scripts, if it is not over and its supervisor is gone."""
    name = job["name"]
    folder = state.folder_of(store.home, name)
    if job["status"] in state.ENDED or is_locked(supervisor_lock(store, name)):
        return
    with store.write() as connection:
        fresh = state.read_job(connection, name)
        if fresh is None or fresh["status"] in state.ENDED:
            return
        _kill_orphans(store, fresh)
        state.end_job(connection, fresh["id"], status="Failed", reason=_LOST + last_words(folder), now=now)
    shutil.rmtree(folder / "ml", ignore_errors=True)


def _kill_orphans(store: Store, job: sqlite3.Row) -> None:
    """Kill scripts that outlived their supervisor; a script's lock says that the recorded process is still that one."""
    request, name = state.request_of(job), job["name"]
    for host in hosts_of(request):
        if is_locked(script_lock(store, name, host.name)):
            with contextlib.suppress(ValueError, FileNotFoundError):
                kill_tree(int(script_pid(store, name, host.name).read_text()))
        kill_marked(UPDATES, str(Layout.of(state.ml_of(store, name, host.name), request).updates))
