"""Multipart uploads, as boto3's transfers make them of large files."""

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Iterable
from typing import BinaryIO, cast

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.services.s3.copying import open_source
from mnist_tracking.embedded.services.s3.joining import choose_parts, join_parts
from mnist_tracking.embedded.services.s3.requests import (
    body_of,
    encryption_of,
    headers_of,
    key_of,
    range_of,
    write_guard,
)
from mnist_tracking.embedded.services.s3.streams import FilePart
from mnist_tracking.embedded.store.blobs import Blob
from mnist_tracking.embedded.store.objects import StoredObject, forget_content, replace
from mnist_tracking.embedded.times import as_datetime

_MOST_PARTS = 10_000


def _no_such_upload() -> AwsFault:
    said = (
        "The specified upload does not exist. The upload ID may be invalid, or it may have been aborted or completed."
    )
    return AwsFault(said, code="NoSuchUpload", status=404)


def require_upload(call: Call) -> sqlite3.Row:
    """Return the upload that a call is about; inside a transaction it then stays until that ends."""
    about = (call.params["UploadId"], require_bucket(call), call.params["Key"])
    with call.context.store.read() as connection:
        sql = "SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?"
        row: sqlite3.Row | None = connection.execute(sql, about).fetchone()
    if row is None:
        raise _no_such_upload()
    return row


def parts_of(connection: sqlite3.Connection, upload_id: str) -> list[sqlite3.Row]:
    """Return the parts of an upload, by number."""
    return connection.execute("SELECT * FROM upload_parts WHERE upload_id = ? ORDER BY number", (upload_id,)).fetchall()


@serves("s3", "CreateMultipartUpload")
def create_multipart_upload(call: Call) -> Response:
    key, headers, upload_id = key_of(call.params), headers_of(call.params), uuid.uuid4().hex
    with call.context.store.write() as connection:
        bucket = require_bucket(call)
        connection.execute(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
            (upload_id, bucket, key, json.dumps(headers), call.context.now()),
        )
    return {"Bucket": bucket, "Key": key, "UploadId": upload_id, **encryption_of(headers)}


@serves("s3", "UploadPart")
def upload_part(call: Call) -> Response:
    upload = require_upload(call)
    blob = _store_part(call, body_of(call.params))
    return {"ETag": f'"{blob.md5}"', **encryption_of(json.loads(upload["headers"]))}


@serves("s3", "UploadPartCopy")
def upload_part_copy(call: Call) -> Response:
    upload = require_upload(call)
    source, file = open_source(call)
    with file:
        start, end = range_of(call.params.get("CopySourceRange"), source.size) or (0, source.size)
        file.seek(start)
        blob = _store_part(call, cast("BinaryIO", FilePart(file, end - start)))
    result = {"ETag": f'"{blob.md5}"', "LastModified": as_datetime(call.context.now())}
    return {"CopyPartResult": result, **encryption_of(json.loads(upload["headers"]))}


def _store_part(call: Call, body: bytes | BinaryIO) -> Blob:
    number, store = call.params["PartNumber"], call.context.store
    if not 1 <= number <= _MOST_PARTS:
        said = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
        raise AwsFault(said, code="InvalidArgument")
    blob = store.blobs.put(body)
    try:
        with store.write() as connection:
            upload = require_upload(call)
            about = (upload["id"], number)
            old = connection.execute(
                "SELECT blob FROM upload_parts WHERE upload_id = ? AND number = ?", about
            ).fetchone()
            connection.execute(
                "INSERT OR REPLACE INTO upload_parts VALUES (?, ?, ?, ?, ?)", (*about, blob.name, blob.md5, blob.size)
            )
    except BaseException:
        store.blobs.delete(blob.name)
        raise
    if old is not None:
        store.blobs.delete(old["blob"])
    return blob


@serves("s3", "CompleteMultipartUpload")
def complete_multipart_upload(call: Call) -> Response:
    store, upload = call.context.store, require_upload(call)
    with store.read() as connection:
        parts = parts_of(connection, upload["id"])
    new = _joined(call, upload, parts)
    try:
        with store.write() as connection:
            require_upload(call)
            old = replace(store, connection, upload["bucket"], new, guard=write_guard(call))
            parts = _forget_upload(connection, upload["id"])
    except BaseException:
        forget_content(store, new)
        raise
    forget_content(store, old)
    _delete_contents(call, parts)
    location = f"https://{upload['bucket']}.s3.amazonaws.com/{new.key}"
    told = {"Bucket": upload["bucket"], "Key": new.key, "ETag": new.etag, "Location": location}
    return {**told, **encryption_of(new.headers)}


def _joined(call: Call, upload: sqlite3.Row, parts: Iterable[sqlite3.Row]) -> StoredObject:
    """Return the object that is made of the parts that a call names; its content is stored, but no key means it yet."""
    blobs = call.context.store.blobs
    try:
        chosen = choose_parts(parts, call.params.get("MultipartUpload", {}).get("Parts", []), blobs)
        blob = join_parts(chosen, call.params, blobs)
    except FileNotFoundError:  # aborted or completed by somebody else meanwhile
        raise _no_such_upload() from None
    digest = hashlib.md5(b"".join(bytes.fromhex(part["etag"]) for part in chosen), usedforsecurity=False).hexdigest()
    etag, headers = f'"{digest}-{len(chosen)}"', json.loads(upload["headers"])
    return StoredObject(upload["key"], blobs.path(blob.name), blob.size, etag, call.context.now(), headers)


@serves("s3", "AbortMultipartUpload")
def abort_multipart_upload(call: Call) -> Response:
    with call.context.store.write() as connection:
        parts = _forget_upload(connection, require_upload(call)["id"])
    _delete_contents(call, parts)
    return {}


def _forget_upload(connection: sqlite3.Connection, upload_id: str) -> list[sqlite3.Row]:
    """Forget an upload, inside the caller's transaction; return its parts, to be deleted once that is committed."""
    parts = parts_of(connection, upload_id)
    connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
    return parts


def _delete_contents(call: Call, parts: Iterable[sqlite3.Row]) -> None:
    for part in parts:
        call.context.store.blobs.delete(part["blob"])
