"""Lineage: artifacts, and associations between any two resources."""

import sqlite3
from collections.abc import Mapping

import attrs


@attrs.frozen
class LineageArtifact:
    """An artifact of lineage; *request* is that of CreateArtifact, as JSON."""

    arn: str
    name: str | None
    type: str
    source_uri: str
    request: str
    created: float


@attrs.frozen
class Association:
    """An association of two resources, by their ARNs."""

    source_arn: str
    destination_arn: str
    type: str | None
    created: float


def add_artifact(connection: sqlite3.Connection, artifact: LineageArtifact) -> None:
    """Add an artifact."""
    connection.execute("INSERT INTO lineage_artifacts VALUES (?, ?, ?, ?, ?, ?)", attrs.astuple(artifact))


def find_artifact(connection: sqlite3.Connection, arn: str) -> LineageArtifact | None:
    """Return an artifact, or None."""
    row = connection.execute("SELECT * FROM lineage_artifacts WHERE arn = ?", (arn,)).fetchone()
    return None if row is None else LineageArtifact(*row)


def artifacts(
    connection: sqlite3.Connection, source_uri: str | None, created_after: float, limit: int, offset: int
) -> list[LineageArtifact]:
    """Return the artifacts of a source, or of all sources, since a time; the newest first."""
    rows = connection.execute(
        "SELECT * FROM lineage_artifacts WHERE source_uri = coalesce(?, source_uri) AND created >= ? "
        "ORDER BY created DESC, arn LIMIT ? OFFSET ?",
        (source_uri, created_after, limit, offset),
    )
    return [LineageArtifact(*row) for row in rows]


def delete_artifact(connection: sqlite3.Connection, arn: str) -> bool:
    """Delete an artifact, and return whether it existed."""
    return connection.execute("DELETE FROM lineage_artifacts WHERE arn = ?", (arn,)).rowcount > 0


def put_association(connection: sqlite3.Connection, association: Association) -> None:
    """Add an association, or replace the one of the same two resources."""
    connection.execute("INSERT OR REPLACE INTO lineage_associations VALUES (?, ?, ?, ?)", attrs.astuple(association))


def delete_association(connection: sqlite3.Connection, source: str, destination: str) -> bool:
    """Delete an association, and return whether it existed."""
    where = "source_arn = ? AND destination_arn = ?"
    return connection.execute(f"DELETE FROM lineage_associations WHERE {where}", (source, destination)).rowcount > 0


def is_associated(connection: sqlite3.Connection, arn: str) -> bool:
    """Whether a resource has associations."""
    where = "? IN (source_arn, destination_arn)"
    return connection.execute(f"SELECT 1 FROM lineage_associations WHERE {where}", (arn,)).fetchone() is not None


def associations(
    connection: sqlite3.Connection, wanted: Mapping[str, str], limit: int, offset: int
) -> list[Association]:
    """Return associations, the newest first, whose fields have the values that are *wanted*."""
    clause = " AND ".join([f"{attrs.fields_dict(Association)[name].name} = ?" for name in wanted] or ["TRUE"])
    rows = connection.execute(
        f"SELECT * FROM lineage_associations WHERE {clause} "
        "ORDER BY created DESC, source_arn, destination_arn LIMIT ? OFFSET ?",
        (*wanted.values(), limit, offset),
    )
    return [Association(*row) for row in rows]
