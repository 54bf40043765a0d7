"""How an endpoint stands: its folder, its row, and whether the process that keeps it up still lives."""

import sqlite3
from pathlib import Path

from mnist_tracking._values.files import is_locked
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.supervision import last_words

_LOST = "The process that served this endpoint was killed, or the machine was restarted."


def folder_of(home: Path, name: str) -> Path:
    """Return the folder of an endpoint."""
    return home / "endpoints" / name


def lock_of(store: Store, name: str) -> Path:
    """Return the lock that an endpoint's supervisor holds as long as it lives."""
    return folder_of(store.home, name) / "supervisor.lock"


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
    """Record how an endpoint stands, unless it is being deleted."""
    with store.write() as connection:
        connection.execute(
            "UPDATE endpoints SET status = ?, failure_reason = ?, port = ?, modified = ? "
            "WHERE id = ? AND status <> 'Deleting'",
            (status, reason, port, now, endpoint_id),
        )


def recover_lost(store: Store, now: float, name: str | None = None) -> None:
    """Mark endpoints as Failed whose supervisor is gone: the one of that name, or all."""
    where, values = (" AND name = ?", (name,)) if name else ("", ())
    query = f"SELECT * FROM endpoints WHERE status IN ('Creating', 'InService'){where}"
    with store.read() as connection:
        rows = connection.execute(query, values).fetchall()
    for row in rows:
        if not is_locked(lock_of(store, row["name"])):
            _mark_lost(store, row, now)


def _mark_lost(store: Store, row: sqlite3.Row, now: float) -> None:
    with store.write() as connection:
        connection.execute(
            "UPDATE endpoints SET status = 'Failed', failure_reason = ?, modified = ? "
            "WHERE id = ? AND created = ? AND status IN ('Creating', 'InService')",
            (_LOST + last_words(folder_of(store.home, row["name"])), now, row["id"], row["created"]),
        )
