"""Multipart uploads, as boto3's upload_file makes them of large files."""

import hashlib
import json
import shutil
import sqlite3
import tempfile
import uuid
from typing import Any

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.services.s3.objects import body_of, headers_of
from mnist_tracking.embedded.store.objects import record_object


@serves("s3", "CreateMultipartUpload")
def create_multipart_upload(call: Call) -> Response:
    bucket, upload_id = require_bucket(call), uuid.uuid4().hex
    headers = json.dumps(headers_of(call.params), default=str)
    with call.engine.store.write() as connection:
        connection.execute(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
            (upload_id, bucket, call.params["Key"], headers, call.engine.now()),
        )
    return {"Bucket": bucket, "Key": call.params["Key"], "UploadId": upload_id}


@serves("s3", "UploadPart")
def upload_part(call: Call) -> Response:
    with call.engine.store.read() as connection:
        upload = _require_upload(connection, call)
    blob = call.engine.store.blobs.put(body_of(call.params))
    with call.engine.store.write() as connection:
        number = call.params["PartNumber"]
        before = connection.execute(
            "SELECT blob FROM upload_parts WHERE upload_id = ? AND number = ?", (upload["id"], number)
        ).fetchone()
        connection.execute(
            "INSERT OR REPLACE INTO upload_parts VALUES (?, ?, ?, ?, ?)",
            (upload["id"], number, blob.name, blob.md5, blob.size),
        )
    if before:
        call.engine.store.blobs.delete(before["blob"])
    return {"ETag": f'"{blob.md5}"'}


@serves("s3", "CompleteMultipartUpload")
def complete_multipart_upload(call: Call) -> Response:
    store, params = call.engine.store, call.params
    with store.read() as connection:
        upload = _require_upload(connection, call)
        parts = {row["number"]: row for row in _parts(connection, upload["id"])}
    chosen = [_require_part(parts, asked) for asked in params.get("MultipartUpload", {}).get("Parts", [])]
    if not chosen:
        raise AwsFault("You must specify at least one part", code="MalformedXML")
    with tempfile.TemporaryFile() as whole:
        for part in chosen:
            with store.blobs.path(part["blob"]).open("rb") as file:
                shutil.copyfileobj(file, whole)
        whole.seek(0)
        blob = store.blobs.put(whole)
    digest = hashlib.md5(b"".join(bytes.fromhex(part["etag"]) for part in chosen), usedforsecurity=False).hexdigest()
    etag = f'"{digest}-{len(chosen)}"'
    headers = json.loads(upload["headers"])
    record_object(
        store,
        upload["bucket"],
        upload["key"],
        blob=blob.name,
        etag=etag,
        size=blob.size,
        now=call.engine.now(),
        headers=headers,
    )
    _forget(call, upload["id"], parts.values())
    return {"Bucket": upload["bucket"], "Key": upload["key"], "ETag": etag}


@serves("s3", "AbortMultipartUpload")
def abort_multipart_upload(call: Call) -> Response:
    with call.engine.store.read() as connection:
        upload = _require_upload(connection, call)
        parts = _parts(connection, upload["id"])
    _forget(call, upload["id"], parts)
    return {}


def _require_upload(connection: sqlite3.Connection, call: Call) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM uploads WHERE id = ?", (call.params["UploadId"],)
    ).fetchone()
    if row is None:
        raise AwsFault("The specified upload does not exist.", code="NoSuchUpload", status=404)
    return row


def _parts(connection: sqlite3.Connection, upload_id: str) -> list[sqlite3.Row]:
    return connection.execute("SELECT * FROM upload_parts WHERE upload_id = ? ORDER BY number", (upload_id,)).fetchall()


def _require_part(parts: dict[int, sqlite3.Row], asked: dict[str, Any]) -> sqlite3.Row:
    part = parts.get(asked["PartNumber"])
    if part is None or part["etag"] != asked["ETag"].strip('"'):
        raise AwsFault("One or more of the specified parts could not be found.", code="InvalidPart")
    return part


def _forget(call: Call, upload_id: str, parts: Any) -> None:
    with call.engine.store.write() as connection:
        connection.execute("DELETE FROM upload_parts WHERE upload_id = ?", (upload_id,))
        connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
    for part in parts:
        call.engine.store.blobs.delete(part["blob"])
