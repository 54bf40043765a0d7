"""Tags of any resource, by its ARN."""

import sqlite3
from collections.abc import Iterable, Mapping


def put_tags(connection: sqlite3.Connection, arn: str, tags: Iterable[Mapping[str, str]] | None) -> None:
    """Set tags (``{"Key": ..., "Value": ...}``) on a resource, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        [(arn, tag["Key"], tag["Value"]) for tag in tags or ()],
    )


def read_tags(connection: sqlite3.Connection, arn: str) -> list[dict[str, str]]:
    """Return a resource's tags, sorted by key."""
    rows = connection.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY key", (arn,))
    return [{"Key": row["key"], "Value": row["value"]} for row in rows]


def delete_tags(connection: sqlite3.Connection, arn: str) -> None:
    """Forget all tags of a resource."""
    connection.execute("DELETE FROM tags WHERE arn = ?", (arn,))
