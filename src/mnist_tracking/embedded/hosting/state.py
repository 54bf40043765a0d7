"""The status of an endpoint: its folder and its row."""

import sqlite3
from pathlib import Path

from mnist_tracking.embedded.store import Store


def endpoint_folder(home: Path, name: str) -> Path:
    """Return the folder of an endpoint."""
    return home / "endpoints" / name


def endpoint_lock(store: Store, name: str) -> Path:
    """Return the lock file of an endpoint's supervisor."""
    return endpoint_folder(store.home, name) / "supervisor.lock"


def log_group(name: str) -> str:
    """Return the log group of an endpoint."""
    return f"/aws/sagemaker/Endpoints/{name}"


def read_endpoint(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    """Return an endpoint's row, or None."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM endpoints WHERE name = ?", (name,)).fetchone()
    return row


def set_status(
    store: Store, endpoint_id: int, status: str, now: float, *, reason: str | None = None, port: int | None = None
) -> None:
    """Record the status of an endpoint, unless it is being deleted."""
    with store.write() as connection:
        connection.execute(
            "UPDATE endpoints SET status = ?, failure_reason = ?, port = ?, modified = ? "
            "WHERE id = ? AND status <> 'Deleting'",
            (status, reason, port, now, endpoint_id),
        )
