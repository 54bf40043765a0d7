"""Tags of any resource, by its ARN, and which resources exist."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from mnist_tracking.embedded.store.pages import OWNERS, rows_by_owner

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
    return tags_of(connection, [arn])[arn]


def tags_of(connection: sqlite3.Connection, arns: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """Return the tags of each of several resources, sorted by key."""
    rows = rows_by_owner(connection, f"SELECT arn, key, value FROM tags WHERE arn IN {OWNERS} ORDER BY arn, key", arns)
    return {arn: [{"Key": key, "Value": value} for _, key, value in rows[arn]] for arn in arns}


def remove_tags(connection: sqlite3.Connection, arn: str, keys: Iterable[str]) -> None:
    """Remove some tags of a resource."""
    connection.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys])


def remove_all_tags(connection: sqlite3.Connection, arn: str) -> None:
    """Remove all tags of a resource."""
    connection.execute("DELETE FROM tags WHERE arn = ?", (arn,))
