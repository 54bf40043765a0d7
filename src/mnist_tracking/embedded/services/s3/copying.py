"""Copies inside S3, whole or as a part of an upload."""

from typing import BinaryIO
from urllib.parse import unquote

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import no_such_bucket, require_bucket, require_owner
from mnist_tracking.embedded.services.s3.requests import (
    CONTENT_HEADERS,
    STORAGE_HEADERS,
    check_read,
    encryption_of,
    headers_of,
    key_of,
    open_found,
    write_guard,
)
from mnist_tracking.embedded.store import objects as stored
from mnist_tracking.embedded.store.objects import StoredObject
from mnist_tracking.embedded.times import as_datetime


def open_source(call: Call) -> tuple[StoredObject, BinaryIO]:
    """Return what a call copies from, opened."""
    bucket, key = _source(call)
    if not stored.has_bucket(call.context.store, bucket):
        raise no_such_bucket()
    require_owner(call, call.params.get("ExpectedSourceBucketOwner"))
    found, body = open_found(call, bucket, key)
    try:
        check_read(call.params, found, prefix="CopySource")
    except AwsFault:
        body.close()
        raise
    return found, body


def _source(call: Call) -> tuple[str, str]:
    """Read the source as botocore has written it: percent-encoded, whether it was given as a string or as parts."""
    path, _, _ = call.params["CopySource"].partition("?versionId=")
    bucket, separator, key = unquote(path).lstrip("/").partition("/")
    if not (separator and key):
        raise AwsFault(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", code="InvalidArgument"
        )
    return bucket, key


@serves("s3", "CopyObject")
def copy_object(call: Call) -> Response:
    bucket, key = require_bucket(call), key_of(call.params)
    source, body = open_source(call)
    with body:
        headers = _headers(call, source)
        if _source(call) == (bucket, key) and headers == source.headers and not _replaces(call):
            said = (
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                "object's metadata, storage class, website redirect location or encryption attributes."
            )
            raise AwsFault(said, code="InvalidRequest")
        now, guard = call.context.now(), write_guard(call)
        copy = stored.put_object(call.context.store, bucket, key, body, now, headers=headers, guard=guard)
    return {"CopyObjectResult": {"ETag": copy.etag, "LastModified": as_datetime(now)}, **encryption_of(headers)}


def _replaces(call: Call) -> bool:
    return "REPLACE" in (call.params.get("MetadataDirective"), call.params.get("TaggingDirective"))


def _headers(call: Call, source: StoredObject) -> dict[str, object]:
    """Return the copy's headers: the content's from the source unless replaced, the storage's always from the call."""
    asked = headers_of(call.params)
    headers = {name: asked[name] for name in STORAGE_HEADERS if name in asked}
    described = asked if call.params.get("MetadataDirective") == "REPLACE" else source.headers
    headers |= {name: described[name] for name in (*CONTENT_HEADERS, "Metadata") if name in described}
    tagged = asked if call.params.get("TaggingDirective") == "REPLACE" else source.headers
    return headers | {name: tagged[name] for name in ("Tagging",) if name in tagged}
