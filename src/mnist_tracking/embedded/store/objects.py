"""S3 objects without botocore: what the handlers of S3 and the supervisors of jobs and endpoints share."""

import json
import shutil
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


_CHUNK = 1 << 20


def split_uri(uri: str) -> tuple[str, str]:
    """
    Return bucket and key of ``s3://bucket/key``, whatever the key has in it.

    Example:
        >>> split_uri("s3://bucket/why?/part#1.csv")
        ('bucket', 'why?/part#1.csv')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key.lstrip("/")


def download(store: Store, uri: str, folder: Path, *, share: tuple[int, int] = (0, 1)) -> int:
    """
    Copy what lies below an S3 prefix into a folder, as the S3Prefix data type does; return how many objects there are.

    Below ``s3://bucket/data/train``, the key ``data/train/a.csv`` becomes ``a.csv``. A key in which the prefix ends
    inside a name keeps that name: ``data/train`` becomes ``train``, and ``data/train-2.csv`` becomes ``train-2.csv``.

    Args:
        store: Where the objects are.
        uri: The prefix.
        folder: Where the files go; made if missing.
        share: Which share of the objects to copy, counted from 0, and how many shares there are: each gets every n-th.

    Raises:
        ValueError: If a key would leave the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bucket, prefix = split_uri(uri)
    keys = [item.key for item in list_objects(store, bucket, prefix) if not item.key.endswith("/")]
    root = folder.resolve()
    number, shares = share
    for key in keys[number::shares]:
        _copy(store, bucket, key, root / _relative(key, prefix), root)
    return len(keys)


def _relative(key: str, prefix: str) -> str:
    """Return a key without its prefix, or without the prefix's folder if the prefix ends inside a name."""
    is_folder = not prefix or prefix.endswith("/") or key.startswith(f"{prefix}/")
    base = prefix if is_folder else prefix[: prefix.rfind("/") + 1]
    return key[len(base) :].lstrip("/")


def _copy(store: Store, bucket: str, key: str, target: Path, root: Path) -> None:
    if not target.resolve().is_relative_to(root):
        raise ValueError(f"The key {key!r} would be written outside its channel.")
    found = open_object(store, bucket, key)
    if found is None:
        return  # deleted since it was listed
    with found[1] as content:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file, _CHUNK)
