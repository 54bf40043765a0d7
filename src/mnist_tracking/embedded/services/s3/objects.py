"""Objects: put, get, head and delete."""

from typing import Any, cast

from botocore.response import StreamingBody

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.services.s3.requests import (
    CONTENT_HEADERS,
    body_of,
    check_read,
    encryption_of,
    headers_of,
    key_of,
    open_found,
    range_of,
    require_found,
    write_guard,
)
from mnist_tracking.embedded.services.s3.streams import FilePart
from mnist_tracking.embedded.store import objects as stored
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
    """Answer with a file that is open already: overwriting or deleting the object does not touch who reads it."""
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
    return {**response, "Body": StreamingBody(cast("Any", FilePart(file, end - start)), end - start)}


@serves("s3", "HeadObject")
def head_object(call: Call) -> Response:
    bucket = require_bucket(call, is_head=True)
    found = require_found(call, stored.get_object(call.context.store, bucket, call.params["Key"]), is_head=True)
    check_read(call.params, found, is_head=True)
    return {**_describe(call, found), "ContentLength": found.size}


def _describe(call: Call, found: StoredObject) -> Response:
    headers = dict(found.headers)
    tags = headers.pop("Tagging", {})
    asked = {name: call.params[f"Response{name}"] for name in CONTENT_HEADERS if f"Response{name}" in call.params}
    return {
        "ContentType": "binary/octet-stream",
        "Metadata": {},
        **headers,
        **asked,
        **({"TagCount": len(tags)} if tags else {}),
        "ETag": found.etag,
        "LastModified": as_datetime(found.modified),
        "AcceptRanges": "bytes",
    }


@serves("s3", "DeleteObject")
def delete_object(call: Call) -> Response:
    """Delete an object; one that is not there is deleted already."""
    bucket = require_bucket(call)
    stored.delete_object(call.context.store, bucket, call.params["Key"], guard=write_guard(call))
    return {}


@serves("s3", "DeleteObjects")
def delete_objects(call: Call) -> Response:
    bucket, asked = require_bucket(call), call.params["Delete"]
    keys = [item["Key"] for item in asked["Objects"]]
    if not 1 <= len(keys) <= _MOST_KEYS:
        raise AwsFault(
            "The XML you provided was not well-formed or did not validate against our published schema",
            code="MalformedXML",
        )
    for key in keys:
        stored.delete_object(call.context.store, bucket, key)
    return {} if asked.get("Quiet") else {"Deleted": [{"Key": key} for key in keys]}
