"""S3 objects without botocore: what the handlers of S3 and the supervisors of jobs and endpoints share."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from mnist_tracking.embedded.store.blobs import Body
from mnist_tracking.embedded.store.contents import Content, ContentError
from mnist_tracking.embedded.store.database import Store
from mnist_tracking.errors import NotFoundError

_HIGHEST, _SURROGATES = 0x10FFFF, range(0xD800, 0xE000)

_CHUNK = 1 << 20


@attrs.frozen
class StoredObject:
    """
    One object.

    Attributes:
        key: The key.
        path: The file that holds its content; never changed, only deleted.
        size: In bytes.
        etag: With S3's quotes.
        modified: In seconds since the epoch.
        headers: Its other headers, tags and metadata, by botocore's names.
        md5: The MD5 of its content in hex; None if it is unknown.
    """

    key: str
    path: Path
    size: int
    etag: str
    modified: float
    headers: Mapping[str, Any]
    md5: str | None

    def open(self) -> Content:
        """
        Open its content.

        Raises:
            ContentError: If it has another size; also while it is read, if it has another MD5.
            FileNotFoundError: If it was deleted.
        """
        return Content(self.path, self.size, self.md5)


@attrs.frozen
class Bucket:
    """A bucket, and when it was created, in seconds since the epoch."""

    name: str
    created: float


Guard = Callable[[StoredObject | None], None]
"""Called with the object that is about to be replaced or deleted; nothing is changed if it raises."""


def ensure_bucket(store: Store, bucket: str, now: float) -> None:
    """Create a bucket if it is missing."""
    with store.write() as connection:
        connection.execute("INSERT OR IGNORE INTO buckets VALUES (?, ?)", (bucket, now))


def has_bucket(store: Store, bucket: str) -> bool:
    """Whether a bucket exists."""
    with store.read() as connection:
        return _is_bucket(connection, bucket)


def buckets(connection: sqlite3.Connection) -> list[Bucket]:
    """Return all buckets, by name."""
    return [Bucket(row["name"], row["created"]) for row in connection.execute("SELECT * FROM buckets ORDER BY name")]


def remove_bucket(connection: sqlite3.Connection, bucket: str) -> None:
    """Delete an empty bucket without uploads in the caller's transaction."""
    connection.execute("DELETE FROM buckets WHERE name = ?", (bucket,))


def get_object(store: Store, bucket: str, key: str) -> StoredObject | None:
    """Return an object, or None if the key does not exist."""
    with store.read() as connection:
        return _find(store, connection, bucket, key)


def open_object(store: Store, bucket: str, key: str) -> tuple[StoredObject, Content] | None:
    """
    Return an object and its open content, which stays readable if the key is overwritten or deleted.

    Raises:
        ContentError: If the content is lost or altered.
    """
    while (found := get_object(store, bucket, key)) is not None:
        try:
            return found, found.open()
        except FileNotFoundError:
            if get_object(store, bucket, key) == found:
                raise ContentError(found.path, "is missing") from None
    return None


def list_objects(
    store: Store, bucket: str, prefix: str = "", *, after: str = "", limit: int = -1
) -> list[StoredObject]:
    """Return the objects whose keys begin with *prefix* and come after *after*, sorted by key."""
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
    Return the smallest key after all keys with that prefix, or None if no key is.

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
    body: Body,
    now: float,
    *,
    headers: Mapping[str, Any] | None = None,
    guard: Guard | None = None,
) -> StoredObject:
    """
    Store a content under a key. Readers of the content that it replaces can finish reading.

    Raises:
        NotFoundError: If the bucket does not exist.
    """
    with store.blobs.added(body) as blob:
        new = StoredObject(
            key, store.blobs.path(blob.name), blob.size, f'"{blob.md5}"', now, dict(headers or {}), blob.md5
        )
        with store.write() as connection:
            old = replace(store, connection, bucket, new, guard=guard)
    delete_content(store, old)
    return new


def replace(
    store: Store, connection: sqlite3.Connection, bucket: str, new: StoredObject, *, guard: Guard | None = None
) -> StoredObject | None:
    """Replace an object in the caller's transaction; return the old one: its content is deleted after the commit."""
    old = _find(store, connection, bucket, new.key)
    if guard is not None:
        guard(old)
    if not _is_bucket(connection, bucket):
        raise NotFoundError("bucket", bucket)
    connection.execute(
        "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (bucket, new.key, new.path.name, new.etag, new.size, json.dumps(dict(new.headers)), new.modified, new.md5),
    )
    return old


def delete_object(store: Store, bucket: str, key: str, *, guard: Guard | None = None) -> None:
    """Delete an object, if it exists."""
    with store.write() as connection:
        old = _find(store, connection, bucket, key)
        if guard is not None:
            guard(old)
        connection.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key))
    delete_content(store, old)


def delete_content(store: Store, old: StoredObject | None) -> None:
    """Delete the content of an object that no longer has a key."""
    if old is not None:
        store.blobs.delete(old.path.name)


def from_row(store: Store, row: sqlite3.Row) -> StoredObject:
    """Build an object from its row."""
    path, headers = store.blobs.path(row["blob"]), json.loads(row["headers"])
    return StoredObject(row["key"], path, row["size"], row["etag"], row["modified"], headers, _md5(row))


def _md5(row: sqlite3.Row) -> str | None:
    """Return the MD5 of a content; older rows have it only as the ETag, which is another for joined parts."""
    found, etag = row["md5"], str(row["etag"])
    return str(found) if found else None if "-" in etag else etag.strip('"')


@attrs.frozen
class StoredContent:
    """A content that an object or a part of an upload refers to: its name, its size, and its MD5 if it is known."""

    blob: str
    size: int
    md5: str | None


def stored_contents(connection: sqlite3.Connection) -> list[StoredContent]:
    """Return all contents that are referred to."""
    query = "SELECT blob, size, etag, md5 FROM objects UNION ALL SELECT blob, size, etag, etag FROM upload_parts"
    return [StoredContent(row["blob"], row["size"], _md5(row)) for row in connection.execute(query)]


def _is_bucket(connection: sqlite3.Connection, bucket: str) -> bool:
    return connection.execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone() is not None


def _find(store: Store, connection: sqlite3.Connection, bucket: str, key: str) -> StoredObject | None:
    row = connection.execute("SELECT * FROM objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
    return None if row is None else from_row(store, row)


def split_uri(uri: str) -> tuple[str, str]:
    """
    Return bucket and key of ``s3://bucket/key``, whatever characters the key contains.

    Example:
        >>> split_uri("s3://bucket/why?/part#1.csv")
        ('bucket', 'why?/part#1.csv')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key.lstrip("/")


def download(store: Store, uri: str, folder: Path, *, share: tuple[int, int] = (0, 1)) -> int:
    """
    Copy the objects below an S3 prefix into a folder, as the data type S3Prefix does; return their number.

    Below ``s3://bucket/data/train``, the key ``data/train/a.csv`` becomes ``a.csv``. A key in which the prefix ends
    inside a name keeps that name: ``data/train`` becomes ``train``, and ``data/train-2.csv`` becomes ``train-2.csv``.

    Args:
        store: Where the objects are.
        uri: The prefix.
        folder: Where to write the files; created if missing.
        share: The number of the share to copy, from 0, and the number of shares: each has every n-th object.

    Raises:
        ValueError: If a key would be written outside the folder.
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
    """Return a key without its prefix, or without the folder of the prefix if the prefix ends inside a name."""
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
