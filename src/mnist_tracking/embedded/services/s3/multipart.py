"""Multipart uploads, as boto3 uploads large files: their parts, joining them, and listings."""

import hashlib
import io
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import quote

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.services.s3.checksums import checked, combined, digest_of, encoded, sum_in
from mnist_tracking.embedded.services.s3.objects import open_source
from mnist_tracking.embedded.services.s3.requests import (
    FilePart,
    body_of,
    content_faults,
    encryption_of,
    headers_of,
    key_of,
    range_of,
    write_guard,
)
from mnist_tracking.embedded.store.blobs import Blob, Blobs, Body
from mnist_tracking.embedded.store.contents import Content
from mnist_tracking.embedded.store.objects import StoredObject, delete_content, replace
from mnist_tracking.embedded.store.uploads import (
    Part,
    Upload,
    delete_upload,
    find_upload,
    insert_upload,
    parts_of,
    put_part,
    uploads_to,
)
from mnist_tracking.embedded.times import as_datetime

_SMALLEST_PART = 5 << 20  # of all but the last
_MOST_PARTS = 10_000
_PAGE = 1000


class JoinedParts(io.RawIOBase):
    """The contents of parts as one; each file is open only while it is read."""

    def __init__(self, parts: Iterable[Part], blobs: Blobs) -> None:
        self._parts, self._blobs = iter(parts), blobs
        self._file: Content | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while True:
            if self._file is None:
                part = next(self._parts, None)
                if part is None:
                    return 0
                self._file = part.open(self._blobs)
            if count := self._file.readinto(buffer):
                return count
            self._file.close()
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def choose_parts(parts: Iterable[Part], named: Sequence[Mapping[str, Any]], blobs: Blobs) -> list[Part]:
    """Return the parts of a call, or raise AWS's error if one is missing, different, out of order or too small."""
    by_number: dict[Any, Part] = {part.number: part for part in parts}
    chosen = []
    for item in named:
        part = by_number.get(item.get("PartNumber"))
        if part is None or part.etag != item.get("ETag", "").strip('"') or not _has_checksum(part, item, blobs):
            message = (
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
            )
            raise AwsFault(f"{message}specified entity tag may not match the part's entity tag.", code="InvalidPart")
        chosen.append(part)
    if not chosen:
        raise AwsFault("You must specify at least one part", code="MalformedXML")
    numbers = [part.number for part in chosen]
    if numbers != sorted(set(numbers)):
        raise AwsFault("The list of parts was not in ascending order.", code="InvalidPartOrder")
    if any(part.size < _SMALLEST_PART for part in chosen[:-1]):
        raise AwsFault("Your proposed upload is smaller than the minimum allowed size", code="EntityTooSmall")
    return chosen


def _has_checksum(part: Part, item: Mapping[str, Any], blobs: Blobs) -> bool:
    given = sum_in(item)
    return given is None or encoded(_digest(part, given[0], blobs)) == given[1]


def _digest(part: Part, kind: str, blobs: Blobs) -> bytes:
    with part.open(blobs) as content:
        return digest_of(content, kind)


@contextmanager
def joined_parts(parts: Sequence[Part], params: Mapping[str, Any], blobs: Blobs) -> Iterator[Blob]:
    """
    Store the content of parts as one while a block commits it, if it has the size and the checksum of the call.

    Raises:
        AwsFault: If it has not.
        ContentError: If a part is altered.
        FileNotFoundError: If a part has been deleted meanwhile.
    """
    size, given = sum(part.size for part in parts), sum_in(params)
    if params.get("MpuObjectSize", size) != size:
        message = f"The provided 'x-amz-mp-object-size' header value {params['MpuObjectSize']} does not match"
        raise AwsFault(f"{message} what was computed: {size}", code="InvalidRequest")
    if given is not None and "-" in given[1]:
        _check_combined(parts, *given, blobs)
        given = None
    described = {} if given is None else {f"Checksum{given[0]}": given[1]}
    with io.BufferedReader(JoinedParts(parts, blobs), 1 << 20) as whole, blobs.added(checked(whole, described)) as blob:
        yield blob


def _check_combined(parts: Sequence[Part], kind: str, value: str, blobs: Blobs) -> None:
    if combined([_digest(part, kind, blobs) for part in parts], kind) != value:
        message = f"The {kind} you specified did not match the calculated checksum."
        raise AwsFault(message, code="BadDigest")


def _no_such_upload() -> AwsFault:
    message = (
        "The specified upload does not exist. The upload ID may be invalid, or it may have been aborted or completed."
    )
    return AwsFault(message, code="NoSuchUpload", status=404)


def require_upload(call: Call) -> Upload:
    """Return the upload of a call; in a transaction, it stays until that ends."""
    bucket = require_bucket(call)
    with call.context.store.read() as connection:
        found = find_upload(connection, call.params["UploadId"], bucket, call.params["Key"])
    if found is None:
        raise _no_such_upload()
    return found


@serves("s3", "CreateMultipartUpload")
def create_multipart_upload(call: Call) -> Response:
    key, headers, upload_id = key_of(call.params), headers_of(call.params), uuid.uuid4().hex
    with call.context.store.write() as connection:
        bucket = require_bucket(call)
        insert_upload(connection, Upload(upload_id, bucket, key, headers, call.context.now()))
    return {"Bucket": bucket, "Key": key, "UploadId": upload_id, **encryption_of(headers)}


@serves("s3", "UploadPart")
def upload_part(call: Call) -> Response:
    upload = require_upload(call)
    blob = _store_part(call, body_of(call.params))
    return {"ETag": f'"{blob.md5}"', **encryption_of(upload.headers)}


@serves("s3", "UploadPartCopy")
def upload_part_copy(call: Call) -> Response:
    upload = require_upload(call)
    source, file = open_source(call)
    with file:
        start, end = range_of(call.params.get("CopySourceRange"), source.size) or (0, source.size)
        file.seek(start)
        with content_faults():
            blob = _store_part(call, FilePart(file, end - start))
    result = {"ETag": f'"{blob.md5}"', "LastModified": as_datetime(call.context.now())}
    return {"CopyPartResult": result, **encryption_of(upload.headers)}


def _store_part(call: Call, body: Body) -> Blob:
    number, store = call.params["PartNumber"], call.context.store
    if not 1 <= number <= _MOST_PARTS:
        message = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
        raise AwsFault(message, code="InvalidArgument")
    with store.blobs.added(body) as blob, store.write() as connection:
        old = put_part(connection, require_upload(call).id, number, blob)
    store.blobs.delete(*old)
    return blob


@serves("s3", "CompleteMultipartUpload")
def complete_multipart_upload(call: Call) -> Response:
    store, upload = call.context.store, require_upload(call)
    with store.read() as connection:
        parts = parts_of(connection, upload.id)
    with _joined(call, upload, parts) as new, store.write() as connection:
        require_upload(call)
        old = replace(store, connection, upload.bucket, new, guard=write_guard(call))
        contents = delete_upload(connection, upload.id)
    delete_content(store, old)
    store.blobs.delete(*contents)
    location = f"https://{upload.bucket}.s3.amazonaws.com/{new.key}"
    response = {"Bucket": upload.bucket, "Key": new.key, "ETag": new.etag, "Location": location}
    return {**response, **encryption_of(new.headers)}


@contextmanager
def _joined(call: Call, upload: Upload, parts: Iterable[Part]) -> Iterator[StoredObject]:
    """Store the joined parts of a call; yield the new object, which no key refers to yet."""
    blobs = call.context.store.blobs
    with ExitStack() as stack:
        try:
            with content_faults():
                chosen = choose_parts(parts, call.params.get("MultipartUpload", {}).get("Parts", []), blobs)
                blob = stack.enter_context(joined_parts(chosen, call.params, blobs))
        except FileNotFoundError:  # aborted or completed by another process meanwhile
            require_upload(call)
            raise AwsFault("The content of a part is missing.", code="InternalError", status=500) from None
        digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in chosen), usedforsecurity=False).hexdigest()
        etag, now = f'"{digest}-{len(chosen)}"', call.context.now()
        yield StoredObject(upload.key, blobs.path(blob.name), blob.size, etag, now, upload.headers, blob.md5)


@serves("s3", "AbortMultipartUpload")
def abort_multipart_upload(call: Call) -> Response:
    with call.context.store.write() as connection:
        contents = delete_upload(connection, require_upload(call).id)
    call.context.store.blobs.delete(*contents)
    return {}


@serves("s3", "ListParts")
def list_parts(call: Call) -> Response:
    marker, most = call.params.get("PartNumberMarker", 0), min(call.params.get("MaxParts", _PAGE), _PAGE)
    upload = require_upload(call)
    with call.context.store.read() as connection:
        parts = [part for part in parts_of(connection, upload.id) if part.number > marker]
    page, is_truncated = parts[:most], len(parts) > most
    response: Response = {
        "Bucket": upload.bucket,
        "Key": upload.key,
        "UploadId": upload.id,
        "PartNumberMarker": marker,
        "MaxParts": most,
        "IsTruncated": is_truncated,
        "StorageClass": upload.headers.get("StorageClass", "STANDARD"),
    }
    if page:
        modified = as_datetime(upload.created)
        response["NextPartNumberMarker"] = page[-1].number
        response["Parts"] = [
            {"PartNumber": part.number, "ETag": f'"{part.etag}"', "Size": part.size, "LastModified": modified}
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
        uploads = uploads_to(connection, bucket)
    found = [upload for upload in uploads if upload.key.startswith(prefix) and _is_after(upload, *marker)]
    page, is_truncated = found[:most], len(found) > most
    encoding = params.get("EncodingType")
    response: Response = {"Bucket": bucket, "Prefix": prefix, "MaxUploads": most, "IsTruncated": is_truncated}
    if page:
        response["Uploads"] = [_described(upload, encoding) for upload in page]
    if page and is_truncated:
        last = response["Uploads"][-1]
        response |= {"NextKeyMarker": last["Key"], "NextUploadIdMarker": last["UploadId"]}
    return {**response, "Prefix": quote(prefix), "EncodingType": encoding} if encoding == "url" else response


def _is_after(upload: Upload, key_marker: str, id_marker: str | None) -> bool:
    if id_marker is None:
        return upload.key > key_marker
    return (upload.key, upload.id) > (key_marker, id_marker)


def _described(upload: Upload, encoding: str | None) -> Response:
    return {
        "Key": quote(upload.key) if encoding == "url" else upload.key,
        "UploadId": upload.id,
        "Initiated": as_datetime(upload.created),
        "StorageClass": upload.headers.get("StorageClass", "STANDARD"),
    }
