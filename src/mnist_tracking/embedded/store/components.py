"""Trial components, with their parameters, artifacts and sources. Names compare without case, as in SageMaker."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import attrs

from mnist_tracking.embedded.store.pages import OWNERS, Page, Position, rows_by_owner, select_page, typed

Direction = Literal["Input", "Output"]


@attrs.frozen(kw_only=True)
class Component:
    """A component; times are seconds since the epoch, *metadata* is its MetadataProperties, as JSON."""

    id: int
    name: str
    arn: str
    display_name: str
    source_arn: str | None
    source_type: str | None
    status: str | None
    message: str | None
    started: float | None
    ended: float | None
    created: float
    modified: float
    metadata: str | None


class Parameter(NamedTuple):
    """A parameter: a number or a string."""

    name: str
    number: float | None
    string: str | None


class Artifact(NamedTuple):
    """An input or an output."""

    name: str
    value: str
    media_type: str | None


@attrs.frozen(kw_only=True)
class Scope:
    """Which components to list: those of a trial, of an experiment or of a source; by default, all."""

    trial_id: int | None = None
    experiment_id: int | None = None
    source_arn: str | None = None


_OF_TRIAL = "t.id IN (SELECT component_id FROM associations WHERE trial_id = ?)"
_OF_EXPERIMENT = (
    "t.id IN (SELECT component_id FROM associations WHERE trial_id IN (SELECT id FROM trials WHERE experiment_id = ?))"
)
_OF_SOURCE = (  # the component of a job, and those of the runs that it is part of
    "t.id IN (WITH asked (arn) AS (SELECT ?) "
    "SELECT c.id FROM asked JOIN components c ON c.source_arn = asked.arn "
    "UNION SELECT s.component_id FROM asked JOIN component_sources s ON s.arn = asked.arn)"
)


def add_component(
    connection: sqlite3.Connection, name: str, arn: str, now: float, *, metadata: str | None = None
) -> int:
    """Add an empty component and return its id."""
    cursor = connection.execute(
        "INSERT INTO components (name, arn, display_name, created, modified, metadata) VALUES (?, ?, ?, ?, ?, ?)",
        (name, arn, name, now, now, metadata),
    )
    return int(cursor.lastrowid or 0)


def find_component(connection: sqlite3.Connection, name: str) -> Component | None:
    """Return the component of that name, or None."""
    row = connection.execute("SELECT * FROM components WHERE name = ?", (name,)).fetchone()
    return None if row is None else typed(Component, row)


def update_component(
    connection: sqlite3.Connection,
    component_id: int,
    now: float,
    *,
    display_name: str | None = None,
    started: float | None = None,
    ended: float | None = None,
) -> None:
    """Set what is given, and the time of modification."""
    connection.execute(
        "UPDATE components SET display_name = coalesce(?, display_name), started = coalesce(?, started), "
        "ended = coalesce(?, ended), modified = ? WHERE id = ?",
        (display_name, started, ended, now, component_id),
    )


def put_status(connection: sqlite3.Connection, component_id: int, status: str | None, message: str | None) -> None:
    """Replace the status as a whole, so that no message outlives its status."""
    connection.execute("UPDATE components SET status = ?, message = ? WHERE id = ?", (status, message, component_id))


def delete_component(connection: sqlite3.Connection, found: Component) -> None:
    """Delete a component that belongs to no trial, with all that is recorded of it."""
    connection.execute("DELETE FROM components WHERE id = ?", (found.id,))


def list_components(
    connection: sqlite3.Connection, scope: Scope, page: Page
) -> tuple[list[Component], Position | None]:
    """Return a page of components, and where it ends if there is another one."""
    where: dict[str, Any] = {
        _OF_TRIAL: scope.trial_id,
        _OF_EXPERIMENT: scope.experiment_id,
        _OF_SOURCE: scope.source_arn,
    }
    rows, end = select_page(connection, "SELECT t.* FROM components t", where, page)
    return [typed(Component, row) for row in rows], end


def put_parameters(connection: sqlite3.Connection, component_id: int, parameters: Iterable[Parameter]) -> None:
    """Set parameters."""
    connection.executemany(
        "INSERT OR REPLACE INTO component_parameters VALUES (?, ?, ?, ?)",
        [(component_id, *parameter) for parameter in parameters],
    )


def remove_parameters(connection: sqlite3.Connection, component_id: int, names: Iterable[str]) -> None:
    """Remove parameters, if they exist."""
    connection.executemany(
        "DELETE FROM component_parameters WHERE component_id = ? AND name = ?",
        [(component_id, name) for name in names],
    )


def parameters_of(
    connection: sqlite3.Connection, component_ids: Sequence[int]
) -> Mapping[int, list[tuple[int, str, float | None, str | None]]]:
    """Return the parameters of components: rows of the component, name, number and string, in order of names."""
    columns = "component_id, name, number, string"
    sql = f"SELECT {columns} FROM component_parameters WHERE component_id IN {OWNERS} ORDER BY component_id, name"
    return rows_by_owner(connection, sql, component_ids)


def count_parameters(connection: sqlite3.Connection, component_id: int) -> int:
    """Return how many parameters a component has."""
    sql = "SELECT count(*) FROM component_parameters WHERE component_id = ?"
    return int(connection.execute(sql, (component_id,)).fetchone()[0])


def put_artifacts(
    connection: sqlite3.Connection, component_id: int, direction: Direction, artifacts: Iterable[Artifact]
) -> None:
    """Set inputs or outputs."""
    connection.executemany(
        "INSERT OR REPLACE INTO component_artifacts VALUES (?, ?, ?, ?, ?)",
        [(component_id, direction, *artifact) for artifact in artifacts],
    )


def remove_artifacts(
    connection: sqlite3.Connection, component_id: int, direction: Direction, names: Iterable[str]
) -> None:
    """Remove inputs or outputs, if they exist."""
    connection.executemany(
        "DELETE FROM component_artifacts WHERE component_id = ? AND direction = ? AND name = ?",
        [(component_id, direction, name) for name in names],
    )


def artifacts_of(
    connection: sqlite3.Connection, component_ids: Sequence[int]
) -> Mapping[int, list[tuple[int, Direction, str, str, str | None]]]:
    """Return the artifacts of components: rows of the component, direction, name, value and media type, by name."""
    columns = "component_id, direction, name, value, media_type"
    sql = f"SELECT {columns} FROM component_artifacts WHERE component_id IN {OWNERS} ORDER BY component_id, name"
    return rows_by_owner(connection, sql, component_ids)


def count_artifacts(connection: sqlite3.Connection, component_id: int, direction: Direction) -> int:
    """Return how many inputs or outputs a component has."""
    sql = "SELECT count(*) FROM component_artifacts WHERE component_id = ? AND direction = ?"
    return int(connection.execute(sql, (component_id, direction)).fetchone()[0])


def put_source(connection: sqlite3.Connection, component_id: int, arn: str, kind: str) -> None:
    """Record what created a component, and that it is in progress."""
    connection.execute(
        "UPDATE components SET source_arn = ?, source_type = ?, status = 'InProgress' WHERE id = ?",
        (arn, kind, component_id),
    )


def add_job_of_run(connection: sqlite3.Connection, component_id: int, arn: str, kind: str) -> None:
    """Record a job that is part of the run of a component."""
    connection.execute("INSERT INTO component_sources VALUES (?, ?, ?)", (component_id, arn, kind))


def jobs_of_run(connection: sqlite3.Connection, component_id: int) -> list[tuple[str, str]]:
    """Return the ARNs and kinds of the jobs that are part of the run of a component."""
    sql = "SELECT arn, type FROM component_sources WHERE component_id = ? ORDER BY arn"
    return connection.execute(sql, (component_id,)).fetchall()
