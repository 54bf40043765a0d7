"""Objects: put, get, head, copy, tag and delete."""

from typing import Any, cast
from urllib.parse import unquote

import attrs
from botocore.exceptions import FlexibleChecksumError
from botocore.response import StreamingBody

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import no_such_bucket, require_bucket, require_owner
from mnist_tracking.embedded.services.s3.requests import (
    CONTENT_HEADERS,
    STORAGE_HEADERS,
    FilePart,
    body_of,
    check_read,
    checked_tags,
    content_faults,
    encryption_of,
    headers_of,
    key_of,
    open_found,
    range_of,
    require_found,
    write_guard,
)
from mnist_tracking.embedded.store import objects as stored
from mnist_tracking.embedded.store.contents import Content, ContentError
from mnist_tracking.embedded.store.objects import StoredObject
from mnist_tracking.embedded.times import as_datetime

_MOST_KEYS = 1000


@serves("s3", "PutObject")
def put_object(call: Call) -> Response:
    bucket, key, headers = require_bucket(call), key_of(call.params), headers_of(call.params)
    body, now = body_of(call.params), call.context.now()
    found = stored.put_object(call.context.store, bucket, key, body, now, headers=headers, guard=write_guard(call))
    return {"ETag": found.etag, **encryption_of(headers)}


@serves("s3", "GetObject")
def get_object(call: Call) -> Response:
    """Return an open content: it can be read to its end even if the object is overwritten or deleted."""
    found, file = open_found(call, require_bucket(call), call.params["Key"])
    try:
        check_read(call.params, found)
        part = range_of(call.params.get("Range"), found.size)
    except AwsFault:
        file.close()
        raise
    start, end = part or (0, found.size)
    file.seek(start)
    response = {**_describe(call, found), "ContentLength": end - start}
    if part:
        response["ContentRange"] = f"bytes {start}-{end - 1}/{found.size}"
    return {**response, "Body": StreamingBody(cast("Any", _Body(file, end - start)), end - start)}


class _Body(FilePart):
    """The content of a response; an altered one is the error that a client raises for a wrong checksum."""

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size)
        except ContentError as error:
            raise FlexibleChecksumError(error_msg=str(error)) from error


@serves("s3", "HeadObject")
def head_object(call: Call) -> Response:
    bucket = require_bucket(call, is_head=True)
    found = require_found(call, stored.get_object(call.context.store, bucket, call.params["Key"]), is_head=True)
    check_read(call.params, found, is_head=True)
    return {**_describe(call, found), "ContentLength": found.size}


def _describe(call: Call, found: StoredObject) -> Response:
    headers = dict(found.headers)
    tags = headers.pop("Tagging", {})
    given = {name: call.params[f"Response{name}"] for name in CONTENT_HEADERS if f"Response{name}" in call.params}
    return {
        "ContentType": "binary/octet-stream",
        "Metadata": {},
        **headers,
        **given,
        **({"TagCount": len(tags)} if tags else {}),
        "ETag": found.etag,
        "LastModified": as_datetime(found.modified),
        "AcceptRanges": "bytes",
    }


@serves("s3", "DeleteObject")
def delete_object(call: Call) -> Response:
    """Delete an object, if it exists."""
    bucket = require_bucket(call)
    stored.delete_object(call.context.store, bucket, call.params["Key"], guard=write_guard(call))
    return {}


@serves("s3", "DeleteObjects")
def delete_objects(call: Call) -> Response:
    bucket, given = require_bucket(call), call.params["Delete"]
    keys = [item["Key"] for item in given["Objects"]]
    if not 1 <= len(keys) <= _MOST_KEYS:
        raise AwsFault(
            "The XML you provided was not well-formed or did not validate against our published schema",
            code="MalformedXML",
        )
    for key in keys:
        stored.delete_object(call.context.store, bucket, key)
    return {} if given.get("Quiet") else {"Deleted": [{"Key": key} for key in keys]}


def open_source(call: Call) -> tuple[StoredObject, Content]:
    """Return the source of a copy and its open content."""
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
    """Return the bucket and the key of the source, which botocore has percent-encoded."""
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
            message = (
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                "object's metadata, storage class, website redirect location or encryption attributes."
            )
            raise AwsFault(message, code="InvalidRequest")
        now, guard = call.context.now(), write_guard(call)
        with content_faults():
            copy = stored.put_object(call.context.store, bucket, key, body, now, headers=headers, guard=guard)
    return {"CopyObjectResult": {"ETag": copy.etag, "LastModified": as_datetime(now)}, **encryption_of(headers)}


def _replaces(call: Call) -> bool:
    return "REPLACE" in (call.params.get("MetadataDirective"), call.params.get("TaggingDirective"))


def _headers(call: Call, source: StoredObject) -> dict[str, object]:
    """Return the copy's headers: the content's from the source unless replaced, the storage's from the call."""
    given = headers_of(call.params)
    headers = {name: given[name] for name in STORAGE_HEADERS if name in given}
    described = given if call.params.get("MetadataDirective") == "REPLACE" else source.headers
    headers |= {name: described[name] for name in (*CONTENT_HEADERS, "Metadata") if name in described}
    tagged = given if call.params.get("TaggingDirective") == "REPLACE" else source.headers
    return headers | {name: tagged[name] for name in ("Tagging",) if name in tagged}


@serves("s3", "PutObjectTagging")
def put_object_tagging(call: Call) -> Response:
    pairs = [(tag["Key"], tag["Value"]) for tag in call.params["Tagging"]["TagSet"]]
    tags = checked_tags(dict(pairs))
    if len(tags) < len(pairs):
        raise AwsFault("Cannot provide multiple Tags with the same key", code="InvalidTag")
    _retag(call, tags)
    return {}


@serves("s3", "DeleteObjectTagging")
def delete_object_tagging(call: Call) -> Response:
    _retag(call, {})
    return {}


def _retag(call: Call, tags: dict[str, str]) -> None:
    store, bucket = call.context.store, require_bucket(call)
    with store.write() as connection:
        found = require_found(call, stored.get_object(store, bucket, call.params["Key"]))
        headers = {name: value for name, value in found.headers.items() if name != "Tagging"}
        if tags:
            headers["Tagging"] = tags
        stored.replace(store, connection, bucket, attrs.evolve(found, headers=headers))


@serves("s3", "GetObjectTagging")
def get_object_tagging(call: Call) -> Response:
    found = require_found(call, stored.get_object(call.context.store, require_bucket(call), call.params["Key"]))
    return {"TagSet": [{"Key": key, "Value": value} for key, value in found.headers.get("Tagging", {}).items()]}
