"""S3 objects without botocore: what the handlers of S3 and the supervisors of jobs and endpoints share."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from mnist_tracking.embedded.store.database import Store
from mnist_tracking.errors import NotFoundError

_HIGHEST, _SURROGATES = 0x10FFFF, range(0xD800, 0xE000)


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
    headers: Mapping[str, Any]


Guard = Callable[[StoredObject | None], None]
"""Called with the object that is about to be replaced or deleted; nothing happens if it raises."""


def ensure_bucket(store: Store, bucket: str, now: float) -> None:
    """Make a bucket if it is missing."""
    with store.write() as connection:
        connection.execute("INSERT OR IGNORE INTO buckets VALUES (?, ?)", (bucket, now))


def has_bucket(store: Store, bucket: str) -> bool:
    """Whether a bucket exists."""
    with store.read() as connection:
        return _is_bucket(connection, bucket)


def get_object(store: Store, bucket: str, key: str) -> StoredObject | None:
    """Return an object, or None if there is none of that key."""
    with store.read() as connection:
        return _find(store, connection, bucket, key)


def open_object(store: Store, bucket: str, key: str) -> tuple[StoredObject, BinaryIO] | None:
    """Return an object and its content, opened: it stays whole whatever becomes of the key meanwhile."""
    while (found := get_object(store, bucket, key)) is not None:
        try:
            return found, found.path.open("rb")
        except FileNotFoundError:
            if get_object(store, bucket, key) == found:
                raise  # not replaced since it was looked up, but lost
    return None


def list_objects(
    store: Store, bucket: str, prefix: str = "", *, after: str = "", limit: int = -1
) -> list[StoredObject]:
    """Return the objects whose keys begin with *prefix* and come after *after*, by key."""
    start = max(prefix, after + "\0") if after else prefix
    with store.read() as connection:
        rows = scan(connection, bucket, start, after_prefix(prefix), limit).fetchall()
    return [from_row(store, row) for row in rows]


def scan(connection: sqlite3.Connection, bucket: str, start: str, end: str | None, limit: int = -1) -> sqlite3.Cursor:
    """Return a cursor over the objects with ``start <= key < end``, in order of the keys' UTF-8 bytes."""
    bound, values = ("", ()) if end is None else (" AND key < ?", (end,))
    sql = f"SELECT * FROM objects WHERE bucket = ? AND key >= ?{bound} ORDER BY key LIMIT ?"
    return connection.execute(sql, (bucket, start, *values, limit))


def after_prefix(prefix: str) -> str | None:
    """
    Return the smallest key that comes after every key with that prefix, or None if there is no such key.

    Example:
        >>> after_prefix("data/"), after_prefix("")
        ('data0', None)
    """
    stem = prefix.rstrip(chr(_HIGHEST))
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


def put_object(
    store: Store,
    bucket: str,
    key: str,
    body: bytes | BinaryIO,
    now: float,
    *,
    headers: Mapping[str, Any] | None = None,
    guard: Guard | None = None,
) -> StoredObject:
    """
    Store a content under a key, in place of what was there; who reads that one still gets it whole.

    Raises:
        NotFoundError: If there is no such bucket.
    """
    blob = store.blobs.put(body)
    new = StoredObject(key, store.blobs.path(blob.name), blob.size, f'"{blob.md5}"', now, dict(headers or {}))
    try:
        with store.write() as connection:
            old = replace(store, connection, bucket, new, guard=guard)
    except BaseException:
        store.blobs.delete(blob.name)
        raise
    forget_content(store, old)
    return new


def replace(
    store: Store, connection: sqlite3.Connection, bucket: str, new: StoredObject, *, guard: Guard | None = None
) -> StoredObject | None:
    """Let a key mean another content, inside the caller's transaction; return what to forget once that is committed."""
    old = _find(store, connection, bucket, new.key)
    if guard is not None:
        guard(old)
    if not _is_bucket(connection, bucket):
        raise NotFoundError("bucket", bucket)
    connection.execute(
        "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
        (bucket, new.key, new.path.name, new.etag, new.size, json.dumps(dict(new.headers)), new.modified),
    )
    return old


def delete_object(store: Store, bucket: str, key: str, *, guard: Guard | None = None) -> None:
    """Forget an object; one that is not there is fine, as in S3."""
    with store.write() as connection:
        old = _find(store, connection, bucket, key)
        if guard is not None:
            guard(old)
        connection.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key))
    forget_content(store, old)


def forget_content(store: Store, old: StoredObject | None) -> None:
    """Delete the content of an object that no key means any more."""
    if old is not None:
        store.blobs.delete(old.path.name)


def from_row(store: Store, row: sqlite3.Row) -> StoredObject:
    """Build an object from its row."""
    return StoredObject(
        row["key"], store.blobs.path(row["blob"]), row["size"], row["etag"], row["modified"], json.loads(row["headers"])
    )


def _is_bucket(connection: sqlite3.Connection, bucket: str) -> bool:
    return connection.execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone() is not None


def _find(store: Store, connection: sqlite3.Connection, bucket: str, key: str) -> StoredObject | None:
    row = connection.execute("SELECT * FROM objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
    return None if row is None else from_row(store, row)
