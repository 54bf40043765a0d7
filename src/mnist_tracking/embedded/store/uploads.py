"""Multipart uploads and their parts, until they are completed or aborted."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

import attrs

from mnist_tracking.embedded.store.blobs import Blob, Blobs
from mnist_tracking.embedded.store.contents import Content


@attrs.frozen
class Upload:
    """
    An upload.

    Attributes:
        id: Its id.
        bucket: The bucket of the object to be.
        key: Its key.
        headers: Its headers, tags and metadata, by botocore's names.
        created: In seconds since the epoch.
    """

    id: str
    bucket: str
    key: str
    headers: Mapping[str, Any]
    created: float


@attrs.frozen
class Part:
    """
    A part of an upload.

    Attributes:
        number: Its number.
        blob: The name of its content.
        etag: The MD5 of its content in hex.
        size: In bytes.
    """

    number: int
    blob: str
    etag: str
    size: int

    def open(self, blobs: Blobs) -> Content:
        """
        Open its content.

        Raises:
            ContentError: If it has another size; also while it is read, if it has another MD5.
            FileNotFoundError: If it was deleted.
        """
        return Content(blobs.path(self.blob), self.size, self.etag)


def insert_upload(connection: sqlite3.Connection, upload: Upload) -> None:
    """Begin an upload."""
    values = (upload.id, upload.bucket, upload.key, json.dumps(dict(upload.headers)), upload.created)
    connection.execute("INSERT INTO uploads (id, bucket, key, headers, created) VALUES (?, ?, ?, ?, ?)", values)


def find_upload(connection: sqlite3.Connection, upload_id: str, bucket: str, key: str) -> Upload | None:
    """Return the upload of that id, for that object."""
    query = "SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?"
    row = connection.execute(query, (upload_id, bucket, key)).fetchone()
    return None if row is None else _upload(row)


def uploads_to(connection: sqlite3.Connection, bucket: str) -> list[Upload]:
    """Return the uploads to a bucket, by key and id."""
    query = "SELECT * FROM uploads WHERE bucket = ? ORDER BY key, id"
    return [_upload(row) for row in connection.execute(query, (bucket,))]


def uploads_before(connection: sqlite3.Connection, moment: float) -> list[Upload]:
    """Return the uploads that began before a moment."""
    return [_upload(row) for row in connection.execute("SELECT * FROM uploads WHERE created < ?", (moment,))]


def _upload(row: sqlite3.Row) -> Upload:
    return Upload(row["id"], row["bucket"], row["key"], json.loads(row["headers"]), row["created"])


def parts_of(connection: sqlite3.Connection, upload_id: str) -> list[Part]:
    """Return the parts of an upload, by number."""
    rows = connection.execute("SELECT * FROM upload_parts WHERE upload_id = ? ORDER BY number", (upload_id,))
    return [Part(row["number"], row["blob"], row["etag"], row["size"]) for row in rows]


def put_part(connection: sqlite3.Connection, upload_id: str, number: int, blob: Blob) -> list[str]:
    """Add or replace a part; return the name of the content it had: to be deleted after the commit."""
    query = "SELECT blob FROM upload_parts WHERE upload_id = ? AND number = ?"
    old = [str(row["blob"]) for row in connection.execute(query, (upload_id, number))]
    connection.execute(
        "INSERT OR REPLACE INTO upload_parts (upload_id, number, blob, etag, size) VALUES (?, ?, ?, ?, ?)",
        (upload_id, number, blob.name, blob.md5, blob.size),
    )
    return old


def delete_upload(connection: sqlite3.Connection, upload_id: str) -> list[str]:
    """Delete an upload with its parts; return the names of their contents: to be deleted after the commit."""
    contents = [part.blob for part in parts_of(connection, upload_id)]
    connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
    return contents
