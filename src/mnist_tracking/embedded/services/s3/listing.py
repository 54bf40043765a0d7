"""Listings: keys in the order of their bytes, in pages, grouped by a delimiter."""

import base64
import binascii
import sqlite3
from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import StoredObject, after_prefix, from_row, scan
from mnist_tracking.embedded.times import as_datetime

_PAGE = 1000
_ENCODED = ("Prefix", "Delimiter", "StartAfter", "Marker", "NextMarker")

Entry = StoredObject | str
"""An object, or a common prefix: the part of keys up to the delimiter."""


@serves("s3", "ListObjectsV2")
def list_objects_v2(call: Call) -> Response:
    params, token = call.params, call.params.get("ContinuationToken")
    start = _decode(token) if token else _start(params, params.get("StartAfter", ""))
    response, entries, last = _page(call, start)
    response["KeyCount"] = len(entries)
    response |= {name: params[name] for name in ("StartAfter", "ContinuationToken") if name in params}
    if last is not None:
        response["NextContinuationToken"] = _encode(_following(last) or "")
    return _encoded(response, params.get("EncodingType"))


@serves("s3", "ListObjects")
def list_objects_v1(call: Call) -> Response:
    marker = call.params.get("Marker", "")
    response, _, last = _page(call, _start(call.params, marker))
    response["Marker"] = marker
    if last is not None and "Delimiter" in response:  # without a delimiter, the caller continues at the last key
        response["NextMarker"] = _name(last)
    return _encoded(response, call.params.get("EncodingType"))


def _page(call: Call, start: str | None) -> tuple[Response, list[Entry], Entry | None]:
    """Return the response, its entries, and the last entry if there are more."""
    params, store, bucket = call.params, call.context.store, require_bucket(call)
    prefix, delimiter, most = params.get("Prefix", ""), params.get("Delimiter", ""), _most(params)
    with store.snapshot() as connection:
        found = list(islice(_entries(store, connection, bucket, (prefix, delimiter, start)), most + 1))
    entries, is_truncated = found[:most], len(found) > most > 0
    response: Response = {"Name": bucket, "Prefix": prefix, "MaxKeys": most, "IsTruncated": is_truncated}
    if delimiter:
        response["Delimiter"] = delimiter
    if contents := [_content(entry) for entry in entries if isinstance(entry, StoredObject)]:
        response["Contents"] = contents
    if folders := [{"Prefix": entry} for entry in entries if isinstance(entry, str)]:
        response["CommonPrefixes"] = folders
    return response, entries, entries[-1] if is_truncated else None


def _most(params: Params) -> int:
    most: int = params.get("MaxKeys", _PAGE)
    if most < 0:
        raise AwsFault("Argument maxKeys must be an integer between 0 and 2147483647", code="InvalidArgument")
    return min(most, _PAGE)


def _entries(
    store: Store, connection: sqlite3.Connection, bucket: str, where: tuple[str, str, str | None]
) -> Iterator[Entry]:
    """Yield entries by key; after a common prefix, skip all keys that have it."""
    prefix, delimiter, start = where
    while start is not None:
        position, start = start, None
        for row in scan(connection, bucket, max(position, prefix), after_prefix(prefix)):
            folder = _folder(row["key"], prefix, delimiter)
            if folder is None:
                yield from_row(store, row)
                continue
            yield folder
            start = after_prefix(folder)
            break


def _folder(key: str, prefix: str, delimiter: str) -> str | None:
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if end < 0 else key[: end + len(delimiter)]


def _start(params: Params, after: str) -> str | None:
    """Return the key to start from: after the given one, or after its common prefix, which has been listed."""
    prefix = params.get("Prefix", "")
    folder = _folder(after, prefix, params.get("Delimiter", "")) if after.startswith(prefix) else None
    return after_prefix(folder) if folder else (after + "\0" if after else "")


def _following(entry: Entry) -> str | None:
    return after_prefix(entry) if isinstance(entry, str) else entry.key + "\0"


def _name(entry: Entry) -> str:
    return entry if isinstance(entry, str) else entry.key


def _encode(start: str) -> str:
    return base64.urlsafe_b64encode(start.encode()).decode()


def _decode(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise AwsFault("The continuation token provided is incorrect", code="InvalidArgument") from None


def _content(item: StoredObject) -> Response:
    return {
        "Key": item.key,
        "LastModified": as_datetime(item.modified),
        "ETag": item.etag,
        "Size": item.size,
        "StorageClass": item.headers.get("StorageClass", "STANDARD"),
    }


def _encoded(response: Response, encoding: str | None) -> Response:
    """Percent-encode keys if requested; botocore always requests it, and decodes them."""
    if encoding != "url":
        return response
    response |= {name: quote(response[name]) for name in _ENCODED if name in response}
    for content in response.get("Contents", ()):
        content["Key"] = quote(content["Key"])
    for folder in response.get("CommonPrefixes", ()):
        folder["Prefix"] = quote(folder["Prefix"])
    return {**response, "EncodingType": encoding}
