"""Tags of any resource, by its ARN, and which resources exist."""

import sqlite3
from collections.abc import Iterable, Mapping

_WITH_ARN = (
    "experiments",
    "trials",
    "components",
    "training_jobs",
    "models",
    "endpoint_configs",
    "endpoints",
    "lineage_artifacts",
)


def has_arn(connection: sqlite3.Connection, arn: str) -> bool:
    """Whether any resource has that ARN."""
    tables = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE arn = :arn" for table in _WITH_ARN)
    return connection.execute(tables, {"arn": arn}).fetchone() is not None


def put_tags(connection: sqlite3.Connection, arn: str, tags: Iterable[Mapping[str, str]] | None) -> None:
    """Set tags (``{"Key": ..., "Value": ...}``) on a resource, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        [(arn, tag["Key"], tag["Value"]) for tag in tags or ()],
    )


def read_tags(connection: sqlite3.Connection, arn: str) -> list[dict[str, str]]:
    """Return a resource's tags, sorted by key."""
    rows = connection.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY key", (arn,))
    return [{"Key": key, "Value": value} for key, value in rows]


def remove_tags(connection: sqlite3.Connection, arn: str, keys: Iterable[str]) -> None:
    """Remove some tags of a resource."""
    connection.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys])


def remove_all_tags(connection: sqlite3.Connection, arn: str) -> None:
    """Remove all tags of a resource."""
    connection.execute("DELETE FROM tags WHERE arn = ?", (arn,))
