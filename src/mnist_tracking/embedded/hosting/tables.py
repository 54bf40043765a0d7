"""The tables of hosting: models, endpoint configurations and endpoints."""

import json
import sqlite3
from typing import Any, TypeVar

import attrs

from mnist_tracking.embedded.store.pages import typed
from mnist_tracking.embedded.store.tags import remove_all_tags

T = TypeVar("T")
LIVE = ("Creating", "InService")
"""The statuses of endpoints that have a supervisor."""


@attrs.frozen(kw_only=True)
class Model:
    """A row of ``models``; *request* is that of CreateModel."""

    name: str
    arn: str
    request: dict[str, Any]
    python: str
    created: float


@attrs.frozen(kw_only=True)
class EndpointConfig:
    """A row of ``endpoint_configs``; *request* is that of CreateEndpointConfig."""

    name: str
    arn: str
    request: dict[str, Any]
    created: float

    @property
    def variant(self) -> dict[str, Any]:
        """Its one variant."""
        found: dict[str, Any] = self.request["ProductionVariants"][0]
        return found


@attrs.frozen(kw_only=True)
class Endpoint:
    """
    A row of ``endpoints``.

    Attributes:
        name: The endpoint's name; free again once the row is deleted.
        arn: Its ARN.
        folder: The name of its folder; no other endpoint ever has it.
        config_name: The configuration that it was created with.
        status: Its status.
        failure_reason: Why it has failed, if it has.
        supervisor_pid: The process id of its supervisor, once that has started.
        port: The port on loopback, once it is in service.
        created: When it was created.
        modified: When its status changed last.
    """

    name: str
    arn: str
    folder: str
    config_name: str
    status: str
    failure_reason: str | None = None
    supervisor_pid: int | None = None
    port: int | None = None
    created: float
    modified: float


def is_taken(connection: sqlite3.Connection, table: str, name: str) -> bool:
    """Whether a name is taken. Names that differ only in case are the same, as their ARNs are."""
    found = connection.execute(f"SELECT 1 FROM {table} WHERE name = ? COLLATE NOCASE", (name,)).fetchone()
    return found is not None


def insert_model(connection: sqlite3.Connection, model: Model) -> None:
    """Add a model."""
    connection.execute(
        "INSERT INTO models (name, arn, request, python, created) VALUES (?, ?, ?, ?, ?)",
        (model.name, model.arn, json.dumps(model.request), model.python, model.created),
    )


def read_model(connection: sqlite3.Connection, name: str) -> Model | None:
    """Return a model, or None."""
    found = connection.execute("SELECT * FROM models WHERE name = ?", (name,)).fetchone()
    return None if found is None else _with_request(Model, found)


def insert_config(connection: sqlite3.Connection, config: EndpointConfig) -> None:
    """Add an endpoint configuration."""
    connection.execute(
        "INSERT INTO endpoint_configs (name, arn, request, created) VALUES (?, ?, ?, ?)",
        (config.name, config.arn, json.dumps(config.request), config.created),
    )


def read_config(connection: sqlite3.Connection, name: str) -> EndpointConfig | None:
    """Return an endpoint configuration, or None."""
    found = connection.execute("SELECT * FROM endpoint_configs WHERE name = ?", (name,)).fetchone()
    return None if found is None else _with_request(EndpointConfig, found)


def _with_request(kind: type[T], row: sqlite3.Row) -> T:
    """Return a row as a record, with its request decoded."""
    return typed(kind, {**dict(row), "request": json.loads(row["request"])})


def insert_endpoint(connection: sqlite3.Connection, endpoint: Endpoint) -> None:
    """Add an endpoint."""
    values = attrs.asdict(endpoint)
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO endpoints ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def read_endpoint(connection: sqlite3.Connection, name: str) -> Endpoint | None:
    """Return an endpoint, or None."""
    row = connection.execute("SELECT * FROM endpoints WHERE name = ?", (name,)).fetchone()
    return None if row is None else typed(Endpoint, row)


def endpoint_of(connection: sqlite3.Connection, folder: str) -> Endpoint | None:
    """Return the endpoint whose folder has that name, or None."""
    row = connection.execute("SELECT * FROM endpoints WHERE folder = ?", (folder,)).fetchone()
    return None if row is None else typed(Endpoint, row)


def unfinished_endpoints(connection: sqlite3.Connection) -> list[Endpoint]:
    """Return the endpoints whose status depends on a process."""
    rows = connection.execute("SELECT * FROM endpoints WHERE status <> 'Failed'")
    return [typed(Endpoint, row) for row in rows]


def folders(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the folders of all endpoints."""
    return {row["folder"] for row in connection.execute("SELECT folder FROM endpoints")}


def set_supervisor(connection: sqlite3.Connection, folder: str, pid: int) -> None:
    """Record the process of an endpoint's supervisor."""
    connection.execute("UPDATE endpoints SET supervisor_pid = ? WHERE folder = ?", (pid, folder))


def set_in_service(connection: sqlite3.Connection, folder: str, port: int, now: float) -> None:
    """Record that an endpoint is in service, unless it is being deleted."""
    connection.execute(
        "UPDATE endpoints SET status = 'InService', port = ?, modified = ? WHERE folder = ? AND status = 'Creating'",
        (port, now, folder),
    )


def set_failed(connection: sqlite3.Connection, folder: str, reason: str, now: float) -> None:
    """Record that an endpoint has failed, unless it has already, or is being deleted."""
    connection.execute(
        "UPDATE endpoints SET status = 'Failed', failure_reason = ?, port = NULL, modified = ? "
        f"WHERE folder = ? AND status IN {LIVE}",
        (reason, now, folder),
    )


def set_deleting(connection: sqlite3.Connection, folder: str, now: float) -> None:
    """Record that an endpoint is being deleted, unless it is already."""
    connection.execute(
        "UPDATE endpoints SET status = 'Deleting', modified = ? WHERE folder = ? AND status <> 'Deleting'",
        (now, folder),
    )


def delete_endpoint(connection: sqlite3.Connection, endpoint: Endpoint) -> None:
    """Delete an endpoint's row and its tags; a later endpoint of the same name keeps its own."""
    deleted = connection.execute("DELETE FROM endpoints WHERE folder = ?", (endpoint.folder,)).rowcount
    if deleted:
        remove_all_tags(connection, endpoint.arn)


def delete(connection: sqlite3.Connection, table: str, name: str) -> None:
    """Delete a model or an endpoint configuration."""
    connection.execute(f"DELETE FROM {table} WHERE name = ?", (name,))
