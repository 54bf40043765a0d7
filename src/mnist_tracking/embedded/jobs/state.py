"""How a job stands: its row, its stages and its component, changed together."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from mnist_tracking.embedded import process_locks
from mnist_tracking.embedded.jobs.component import put_model, set_outcome
from mnist_tracking.embedded.jobs.metrics import MetricValue
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.metrics import record_metric

ENDED = ("Completed", "Failed", "Stopped")
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_LOST = "InternalServerError: the process that supervised this job was killed, or the machine was restarted."


def folder_of(store: Store, name: str) -> Path:
    """Return the folder of a job."""
    return store.home / "jobs" / name


def supervisor_lock(store: Store, name: str) -> Path:
    return folder_of(store, name) / "supervisor.lock"


def script_lock(store: Store, name: str) -> Path:
    return folder_of(store, name) / "script.lock"


def read_job(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    """Return a job's row, or None."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM training_jobs WHERE name = ?", (name,)).fetchone()
    return row


def enter_stage(connection: sqlite3.Connection, job_id: int, status: str, message: str, now: float) -> None:
    """Record that a job has come to a stage, which ends the one before."""
    connection.execute("UPDATE training_job_stages SET ended = ? WHERE job_id = ? AND ended IS NULL", (now, job_id))
    ended = now if status in ENDED else None
    connection.execute(
        "INSERT INTO training_job_stages (job_id, status, message, started, ended) VALUES (?, ?, ?, ?, ?)",
        (job_id, status, message, now, ended),
    )
    connection.execute(
        "UPDATE training_jobs SET secondary_status = ?, modified = ? WHERE id = ?", (status, now, job_id)
    )


def begin_training(connection: sqlite3.Connection, job: sqlite3.Row, now: float) -> None:
    """Record that the script starts now, on the job and on its component."""
    connection.execute("UPDATE training_jobs SET started = ? WHERE id = ?", (now, job["id"]))
    connection.execute("UPDATE components SET started = ?, modified = ? WHERE id = ?", (now, now, job["component_id"]))


def end_job(
    connection: sqlite3.Connection, job: sqlite3.Row, *, status: str, reason: str | None, has_model: bool, now: float
) -> None:
    """Record how a job ended, on its row, its stages and its component alike."""
    message = reason or f"Training job {status.lower()}"
    enter_stage(connection, job["id"], status, message[:1024], now)
    connection.execute(
        "UPDATE training_jobs SET status = ?, failure_reason = ?, ended = ?, modified = ? WHERE id = ?",
        (status, reason, now, now, job["id"]),
    )
    if job["component_id"] is not None:
        set_outcome(connection, job["component_id"], status=status, message=reason, ended=now, now=now)
        if has_model:
            put_model(connection, job["component_id"], job["request"])


def record(
    connection: sqlite3.Connection,
    job: sqlite3.Row,
    stream: str,
    lines: list[tuple[float, str]],
    values: list[MetricValue],
) -> None:
    """Add lines to a job's log, and values to its component's metrics."""
    connection.executemany(
        "INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)",
        [(LOG_GROUP, stream, when, text) for when, text in lines],
    )
    if job["component_id"] is None:
        return
    latest = lines[-1][0] if lines else job["modified"]
    for value in values:
        when = value.timestamp if value.timestamp is not None else latest
        record_metric(connection, job["component_id"], value.name, value.value, when, value.step)


def recover_lost(store: Store, now: float, name: str | None = None) -> None:
    """End jobs whose supervisor is gone, as Failed, and kill what is left of their scripts."""
    where, args = ("AND name = ?", (name,)) if name else ("", ())
    query = f"SELECT * FROM training_jobs WHERE status IN ('InProgress', 'Stopping') {where}"
    with store.read() as connection:
        jobs = connection.execute(query, args).fetchall()
    for job in jobs:
        if process_locks.is_held(supervisor_lock(store, job["name"])):
            continue
        with store.write() as connection:
            fresh = read_job(connection, job["name"])
            if fresh is None or fresh["status"] in ENDED:
                continue
            _kill_orphan(store, job["name"])
            end_job(connection, fresh, status="Failed", reason=_LOST, has_model=False, now=now)


def _kill_orphan(store: Store, name: str) -> None:
    """Kill a script that outlived its supervisor; its lock says that the recorded process is still that one."""
    import contextlib
    import os
    import signal

    path = script_lock(store, name)
    if process_locks.is_held(path):
        with contextlib.suppress(ProcessLookupError, ValueError, FileNotFoundError):
            os.killpg(int((folder_of(store, name) / "script.pid").read_text()), signal.SIGKILL)


def request_of(job: sqlite3.Row) -> dict[str, Any]:
    """Return what CreateTrainingJob was given."""
    request: dict[str, Any] = json.loads(job["request"])
    return request
