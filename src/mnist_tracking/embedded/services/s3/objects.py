"""Objects: put, get, head, copy and delete."""

import io
import re
from typing import Any, BinaryIO

from botocore.response import StreamingBody

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.store import objects as stored
from mnist_tracking.embedded.store.objects import StoredObject
from mnist_tracking.embedded.times import as_datetime

_ECHOED = (
    "ContentType",
    "ContentEncoding",
    "ContentDisposition",
    "ContentLanguage",
    "CacheControl",
    "Metadata",
    "ServerSideEncryption",
    "SSEKMSKeyId",
)
_ENCRYPTION = ("ServerSideEncryption", "SSEKMSKeyId")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def headers_of(params: Params) -> dict[str, Any]:
    """Return what a request says of an object, to be echoed when it is read."""
    return {name: params[name] for name in _ECHOED if params.get(name) is not None}


def body_of(params: Params) -> bytes | BinaryIO:
    """Return the content that a request carries: bytes, or a file read from where it stands."""
    body = params.get("Body", b"")
    return body.encode() if isinstance(body, str) else body


@serves("s3", "PutObject")
def put_object(call: Call) -> Response:
    bucket, headers = require_bucket(call), headers_of(call.params)
    found = stored.put_object(
        call.engine.store, bucket, call.params["Key"], body_of(call.params), call.engine.now(), headers=headers
    )
    return {"ETag": found.etag, **{name: headers[name] for name in _ENCRYPTION if name in headers}}


@serves("s3", "GetObject")
def get_object(call: Call) -> Response:
    found = _require(call, is_head=False)
    start, end = _range(call.params.get("Range"), found.size)
    try:
        file = found.path.open("rb")
    except FileNotFoundError:  # overwritten or deleted since it was looked up
        found = _require(call, is_head=False)
        file = found.path.open("rb")
    file.seek(start)
    length = max(0, end - start)
    response = {**_describe(found), "ContentLength": length, "Body": StreamingBody(_Limited(file, length), length)}
    if call.params.get("Range"):
        response["ContentRange"] = f"bytes {start}-{end - 1}/{found.size}"
    return response


class _Limited(io.RawIOBase):
    """A part of a file, closed at its end."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length

    def read(self, amount: int = -1) -> bytes:
        wanted = self._left if amount is None or amount < 0 else min(amount, self._left)
        data = self._file.read(wanted) if wanted else b""
        self._left -= len(data)
        if not self._left:
            self._file.close()
        return data

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


def _range(header: str | None, size: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(header or "")
    if not match or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size:
        raise AwsFault("The requested range is not satisfiable", code="InvalidRange", status=416)
    return start, end


@serves("s3", "HeadObject")
def head_object(call: Call) -> Response:
    found = _require(call, is_head=True)
    return {**_describe(found), "ContentLength": found.size}


def _require(call: Call, *, is_head: bool) -> StoredObject:
    bucket = require_bucket(call, is_head=is_head)
    found = stored.get_object(call.engine.store, bucket, call.params["Key"])
    if found is None:
        if is_head:
            raise AwsFault("Not Found", code="404", status=404)
        raise AwsFault("The specified key does not exist.", code="NoSuchKey", status=404)
    wanted = call.params.get("IfMatch")
    if wanted is not None and wanted.strip('"') != found.etag.strip('"'):
        said = "At least one of the pre-conditions you specified did not hold"
        raise AwsFault(said, code="PreconditionFailed", status=412)
    return found


def _describe(found: StoredObject) -> Response:
    return {
        "ContentType": "binary/octet-stream",
        "Metadata": {},
        **found.headers,
        "ETag": found.etag,
        "LastModified": as_datetime(found.modified),
        "AcceptRanges": "bytes",
    }


@serves("s3", "CopyObject")
def copy_object(call: Call) -> Response:
    target = require_bucket(call)
    source = call.params["CopySource"]
    if isinstance(source, str):  # botocore quotes a dictionary to this form before the call
        from urllib.parse import unquote

        bucket, _, key = unquote(source).lstrip("/").partition("/")
        source = {"Bucket": bucket, "Key": key.split("?versionId=")[0]}
    found = stored.get_object(call.engine.store, source["Bucket"], source["Key"])
    if found is None:
        raise AwsFault("The specified key does not exist.", code="NoSuchKey", status=404)
    replaces = call.params.get("MetadataDirective") == "REPLACE"
    headers = headers_of(call.params) if replaces else dict(found.headers)
    now = call.engine.now()
    with found.path.open("rb") as body:
        copy = stored.put_object(call.engine.store, target, call.params["Key"], body, now, headers=headers)
    return {"CopyObjectResult": {"ETag": copy.etag, "LastModified": as_datetime(now)}}


@serves("s3", "DeleteObject")
def delete_object(call: Call) -> Response:
    stored.delete_object(call.engine.store, require_bucket(call), call.params["Key"])
    return {}


@serves("s3", "DeleteObjects")
def delete_objects(call: Call) -> Response:
    bucket = require_bucket(call)
    keys = [item["Key"] for item in call.params["Delete"]["Objects"]]
    for key in keys:
        stored.delete_object(call.engine.store, bucket, key)
    return {} if call.params["Delete"].get("Quiet") else {"Deleted": [{"Key": key} for key in keys]}
