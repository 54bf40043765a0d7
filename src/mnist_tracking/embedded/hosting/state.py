"""How an endpoint stands."""

import sqlite3
from pathlib import Path

from mnist_tracking.embedded import process_locks
from mnist_tracking.embedded.store import Store


def folder_of(store: Store, name: str) -> Path:
    """Return the folder of an endpoint."""
    return store.home / "endpoints" / name


def lock_of(store: Store, name: str) -> Path:
    return folder_of(store, name) / "supervisor.lock"


def log_group(name: str) -> str:
    return f"/aws/sagemaker/Endpoints/{name}"


def read_endpoint(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    """Return an endpoint's row, or None."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM endpoints WHERE name = ?", (name,)).fetchone()
    return row


def set_status(
    store: Store, endpoint_id: int, status: str, now: float, *, reason: str | None = None, port: int | None = None
) -> None:
    """Record how an endpoint stands."""
    with store.write() as connection:
        connection.execute(
            "UPDATE endpoints SET status = ?, failure_reason = ?, port = ?, modified = ? WHERE id = ?",
            (status, reason, port, now, endpoint_id),
        )


def recover_lost(store: Store, name: str, now: float) -> None:
    """Mark an endpoint as Failed if the process that should keep it up is gone."""
    with store.read() as connection:
        row = read_endpoint(connection, name)
    if (
        row is not None
        and row["status"] in ("Creating", "InService")
        and not process_locks.is_held(lock_of(store, name))
    ):
        reason = "The process that served this endpoint was killed, or the machine was restarted."
        with store.read() as connection:
            fresh = read_endpoint(connection, name)
        if fresh is not None and fresh["status"] in ("Creating", "InService"):
            set_status(store, row["id"], "Failed", now, reason=reason)
