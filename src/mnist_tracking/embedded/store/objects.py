"""S3 objects without botocore: what the handlers of S3 and the supervisors of jobs and endpoints share."""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import attrs

from mnist_tracking.embedded.store.store import Store


@attrs.frozen
class StoredObject:
    """
    One object.

    Attributes:
        key: Its key.
        path: The file that holds its content; never changed, only deleted.
        size: In bytes.
        etag: In S3's quotes.
        modified: In seconds since the epoch.
        headers: What else was said of it, by botocore's names.
    """

    key: str
    path: Path
    size: int
    etag: str
    modified: float
    headers: Mapping[str, object]


def ensure_bucket(store: Store, bucket: str, now: float) -> None:
    """Make a bucket if it is missing."""
    with store.write() as connection:
        connection.execute("INSERT OR IGNORE INTO buckets VALUES (?, ?)", (bucket, now))


def has_bucket(store: Store, bucket: str) -> bool:
    """Whether a bucket exists."""
    with store.read() as connection:
        return connection.execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone() is not None


def get_object(store: Store, bucket: str, key: str) -> StoredObject | None:
    """Return an object, or None if there is none of that key."""
    with store.read() as connection:
        row = connection.execute("SELECT * FROM objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
    return None if row is None else _from_row(store, row)


def list_objects(
    store: Store, bucket: str, prefix: str = "", *, after: str = "", limit: int = -1
) -> list[StoredObject]:
    """Return the objects whose keys begin with *prefix* and come after *after*, by key."""
    with store.read() as connection:
        rows = connection.execute(
            "SELECT * FROM objects WHERE bucket = ? AND key > ? AND substr(key, 1, ?) = ? ORDER BY key LIMIT ?",
            (bucket, after, len(prefix), prefix, limit),
        ).fetchall()
    return [_from_row(store, row) for row in rows]


def put_object(
    store: Store,
    bucket: str,
    key: str,
    body: bytes | BinaryIO,
    now: float,
    *,
    headers: Mapping[str, object] | None = None,
) -> StoredObject:
    """Store a content under a key, in place of what was there; a reader of that one still gets it whole."""
    blob = store.blobs.put(body)
    record_object(store, bucket, key, blob=blob.name, etag=f'"{blob.md5}"', size=blob.size, now=now, headers=headers)
    return StoredObject(key, store.blobs.path(blob.name), blob.size, f'"{blob.md5}"', now, dict(headers or {}))


def record_object(
    store: Store,
    bucket: str,
    key: str,
    *,
    blob: str,
    etag: str,
    size: int,
    now: float,
    headers: Mapping[str, object] | None,
) -> None:
    """Let a key mean a blob that is stored already, and forget the one that it meant before."""
    with store.write() as connection:
        before = _blob_of(connection, bucket, key)
        connection.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
            (bucket, key, blob, etag, size, json.dumps(dict(headers or {}), default=str), now),
        )
    if before and before != blob:
        store.blobs.delete(before)


def delete_object(store: Store, bucket: str, key: str) -> None:
    """Forget an object; one that is not there is fine, as in S3."""
    with store.write() as connection:
        blob = _blob_of(connection, bucket, key)
        connection.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key))
    if blob:
        store.blobs.delete(blob)


def _blob_of(connection: sqlite3.Connection, bucket: str, key: str) -> str | None:
    row = connection.execute("SELECT blob FROM objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
    return None if row is None else str(row["blob"])


def _from_row(store: Store, row: sqlite3.Row) -> StoredObject:
    return StoredObject(
        row["key"], store.blobs.path(row["blob"]), row["size"], row["etag"], row["modified"], json.loads(row["headers"])
    )
