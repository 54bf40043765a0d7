"""Multipart uploads, as boto3 uploads large files: their parts, joining them, and listings."""

import hashlib
import io
import json
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.services.s3.checksums import checked, combined, digest_of, encoded, sum_in
from mnist_tracking.embedded.services.s3.objects import open_source
from mnist_tracking.embedded.services.s3.requests import (
    FilePart,
    body_of,
    encryption_of,
    headers_of,
    key_of,
    range_of,
    write_guard,
)
from mnist_tracking.embedded.store.blobs import Blob, Blobs
from mnist_tracking.embedded.store.objects import StoredObject, delete_content, replace
from mnist_tracking.embedded.times import as_datetime

_SMALLEST_PART = 5 << 20  # of all but the last
_MOST_PARTS = 10_000
_PAGE = 1000


class JoinedFiles(io.RawIOBase):
    """The contents of several files as one; each file is open only while it is read."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = iter(paths)
        self._file: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while True:
            if self._file is None:
                path = next(self._paths, None)
                if path is None:
                    return 0
                self._file = path.open("rb")
            if data := self._file.read(len(buffer)):
                buffer[: len(data)] = data
                return len(data)
            self._file.close()
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def choose_parts(parts: Iterable[sqlite3.Row], named: Sequence[Mapping[str, Any]], blobs: Blobs) -> list[sqlite3.Row]:
    """Return the parts of a call, or raise AWS's error if one is missing, different, out of order or too small."""
    by_number = {part["number"]: part for part in parts}
    chosen = []
    for item in named:
        part = by_number.get(item.get("PartNumber"))
        if part is None or part["etag"] != item.get("ETag", "").strip('"') or not _has_checksum(part, item, blobs):
            message = (
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
            )
            raise AwsFault(f"{message}specified entity tag may not match the part's entity tag.", code="InvalidPart")
        chosen.append(part)
    if not chosen:
        raise AwsFault("You must specify at least one part", code="MalformedXML")
    numbers = [part["number"] for part in chosen]
    if numbers != sorted(set(numbers)):
        raise AwsFault("The list of parts was not in ascending order.", code="InvalidPartOrder")
    if any(part["size"] < _SMALLEST_PART for part in chosen[:-1]):
        raise AwsFault("Your proposed upload is smaller than the minimum allowed size", code="EntityTooSmall")
    return chosen


def _has_checksum(part: sqlite3.Row, item: Mapping[str, Any], blobs: Blobs) -> bool:
    given = sum_in(item)
    return given is None or encoded(_digest(part, given[0], blobs)) == given[1]


def _digest(part: sqlite3.Row, kind: str, blobs: Blobs) -> bytes:
    with blobs.path(part["blob"]).open("rb") as content:
        return digest_of(content, kind)


def join_parts(parts: Sequence[sqlite3.Row], params: Mapping[str, Any], blobs: Blobs) -> Blob:
    """
    Store the content of parts as one, if it has the size and the checksum of the call.

    Raises:
        AwsFault: If it has not.
        FileNotFoundError: If a part has been deleted meanwhile.
    """
    size, given = sum(part["size"] for part in parts), sum_in(params)
    if params.get("MpuObjectSize", size) != size:
        message = f"The provided 'x-amz-mp-object-size' header value {params['MpuObjectSize']} does not match"
        raise AwsFault(f"{message} what was computed: {size}", code="InvalidRequest")
    if given is not None and "-" in given[1]:
        _check_combined(parts, *given, blobs)
        given = None
    described = {} if given is None else {f"Checksum{given[0]}": given[1]}
    with io.BufferedReader(JoinedFiles(blobs.path(part["blob"]) for part in parts), 1 << 20) as whole:
        return blobs.put(checked(whole, described))


def _check_combined(parts: Sequence[sqlite3.Row], kind: str, value: str, blobs: Blobs) -> None:
    if combined([_digest(part, kind, blobs) for part in parts], kind) != value:
        message = f"The {kind} you specified did not match the calculated checksum."
        raise AwsFault(message, code="BadDigest")


def _no_such_upload() -> AwsFault:
    message = (
        "The specified upload does not exist. The upload ID may be invalid, or it may have been aborted or completed."
    )
    return AwsFault(message, code="NoSuchUpload", status=404)


def require_upload(call: Call) -> sqlite3.Row:
    """Return the upload of a call; in a transaction, it stays until that ends."""
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
        message = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
        raise AwsFault(message, code="InvalidArgument")
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
            parts = _delete_upload(connection, upload["id"])
    except BaseException:
        delete_content(store, new)
        raise
    delete_content(store, old)
    _delete_contents(call, parts)
    location = f"https://{upload['bucket']}.s3.amazonaws.com/{new.key}"
    response = {"Bucket": upload["bucket"], "Key": new.key, "ETag": new.etag, "Location": location}
    return {**response, **encryption_of(new.headers)}


def _joined(call: Call, upload: sqlite3.Row, parts: Iterable[sqlite3.Row]) -> StoredObject:
    """Store the joined parts of a call; return the new object, which no key refers to yet."""
    blobs = call.context.store.blobs
    try:
        chosen = choose_parts(parts, call.params.get("MultipartUpload", {}).get("Parts", []), blobs)
        blob = join_parts(chosen, call.params, blobs)
    except FileNotFoundError:  # aborted or completed by another process meanwhile
        raise _no_such_upload() from None
    digest = hashlib.md5(b"".join(bytes.fromhex(part["etag"]) for part in chosen), usedforsecurity=False).hexdigest()
    etag, headers = f'"{digest}-{len(chosen)}"', json.loads(upload["headers"])
    return StoredObject(upload["key"], blobs.path(blob.name), blob.size, etag, call.context.now(), headers)


@serves("s3", "AbortMultipartUpload")
def abort_multipart_upload(call: Call) -> Response:
    with call.context.store.write() as connection:
        parts = _delete_upload(connection, require_upload(call)["id"])
    _delete_contents(call, parts)
    return {}


def _delete_upload(connection: sqlite3.Connection, upload_id: str) -> list[sqlite3.Row]:
    """Delete an upload in the caller's transaction; return its parts: their contents are deleted after the commit."""
    parts = parts_of(connection, upload_id)
    connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
    return parts


def _delete_contents(call: Call, parts: Iterable[sqlite3.Row]) -> None:
    for part in parts:
        call.context.store.blobs.delete(part["blob"])


@serves("s3", "ListParts")
def list_parts(call: Call) -> Response:
    marker, most = call.params.get("PartNumberMarker", 0), min(call.params.get("MaxParts", _PAGE), _PAGE)
    upload = require_upload(call)
    with call.context.store.read() as connection:
        parts = [part for part in parts_of(connection, upload["id"]) if part["number"] > marker]
    page, is_truncated = parts[:most], len(parts) > most
    response: Response = {
        "Bucket": upload["bucket"],
        "Key": upload["key"],
        "UploadId": upload["id"],
        "PartNumberMarker": marker,
        "MaxParts": most,
        "IsTruncated": is_truncated,
        "StorageClass": json.loads(upload["headers"]).get("StorageClass", "STANDARD"),
    }
    if page:
        modified = as_datetime(upload["created"])
        response["NextPartNumberMarker"] = page[-1]["number"]
        response["Parts"] = [
            {"PartNumber": part["number"], "ETag": f'"{part["etag"]}"', "Size": part["size"], "LastModified": modified}
            for part in page
        ]
    return response


@serves("s3", "ListMultipartUploads")
def list_multipart_uploads(call: Call) -> Response:
    """List uploads, sorted by key. A delimiter is ignored."""
    params, bucket = call.params, require_bucket(call)
    prefix, most = params.get("Prefix", ""), min(params.get("MaxUploads", _PAGE), _PAGE)
    marker = (params.get("KeyMarker", ""), params.get("UploadIdMarker"))
    with call.context.store.read() as connection:
        rows = connection.execute("SELECT * FROM uploads WHERE bucket = ? ORDER BY key, id", (bucket,)).fetchall()
    found = [row for row in rows if row["key"].startswith(prefix) and _is_after(row, *marker)]
    page, is_truncated = found[:most], len(found) > most
    encoding = params.get("EncodingType")
    response: Response = {"Bucket": bucket, "Prefix": prefix, "MaxUploads": most, "IsTruncated": is_truncated}
    if page:
        response["Uploads"] = [_upload(row, encoding) for row in page]
    if page and is_truncated:
        last = response["Uploads"][-1]
        response |= {"NextKeyMarker": last["Key"], "NextUploadIdMarker": last["UploadId"]}
    return {**response, "Prefix": quote(prefix), "EncodingType": encoding} if encoding == "url" else response


def _is_after(row: sqlite3.Row, key_marker: str, id_marker: str | None) -> bool:
    if id_marker is None:
        return bool(row["key"] > key_marker)
    return bool((row["key"], row["id"]) > (key_marker, id_marker))


def _upload(row: sqlite3.Row, encoding: str | None) -> Response:
    return {
        "Key": quote(row["key"]) if encoding == "url" else row["key"],
        "UploadId": row["id"],
        "Initiated": as_datetime(row["created"]),
        "StorageClass": json.loads(row["headers"]).get("StorageClass", "STANDARD"),
    }
