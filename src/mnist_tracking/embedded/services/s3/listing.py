"""Listings: keys in order of their bytes, in pages, folded at a delimiter."""

from collections.abc import Iterator
from urllib.parse import quote

from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.store.objects import StoredObject, list_objects
from mnist_tracking.embedded.times import as_datetime

_PAGE = 1000


@serves("s3", "ListObjectsV2")
def list_objects_v2(call: Call) -> Response:
    params = call.params
    after = params.get("ContinuationToken") or params.get("StartAfter", "")
    response, last = _page(call, after)
    response["KeyCount"] = len(response.get("Contents", ())) + len(response.get("CommonPrefixes", ()))
    return {**response, "NextContinuationToken": last} if response["IsTruncated"] else response


@serves("s3", "ListObjects")
def list_objects_v1(call: Call) -> Response:
    response, last = _page(call, call.params.get("Marker", ""))
    response["Marker"] = call.params.get("Marker", "")
    return {**response, "NextMarker": last} if response["IsTruncated"] else response


def _page(call: Call, after: str) -> tuple[Response, str]:
    params = call.params
    bucket, prefix, delimiter = require_bucket(call), params.get("Prefix", ""), params.get("Delimiter", "")
    most = min(params.get("MaxKeys", _PAGE), _PAGE)
    contents: list[StoredObject] = []
    folders: list[str] = []
    last, is_truncated = after, False
    for item in _folded(list_objects(call.engine.store, bucket, prefix, after=after), prefix, delimiter, after):
        if len(contents) + len(folders) == most:
            is_truncated = True
            break
        if isinstance(item, str):
            folders.append(item)
            last = item + "\U0010ffff"
        else:
            contents.append(item)
            last = item.key
    response: Response = {"Name": bucket, "Prefix": prefix, "MaxKeys": most, "IsTruncated": is_truncated}
    return {**response, **_entries(contents, folders, params.get("EncodingType"))}, last


def _folded(found: list[StoredObject], prefix: str, delimiter: str, after: str) -> Iterator[StoredObject | str]:
    """Yield objects, and once each folder that hides some of them."""
    previous = None
    for item in found:
        head, separator, _ = item.key[len(prefix) :].partition(delimiter) if delimiter else (item.key, "", "")
        if not separator:
            yield item
            continue
        folder = prefix + head + separator
        if folder != previous and not after.startswith(folder):
            yield folder
        previous = folder


def _entries(contents: list[StoredObject], folders: list[str], encoding: str | None) -> Response:
    def shown(key: str) -> str:
        return quote(key) if encoding == "url" else key

    entries: Response = {"EncodingType": encoding} if encoding else {}
    if contents:
        entries["Contents"] = [
            {
                "Key": shown(item.key),
                "LastModified": as_datetime(item.modified),
                "ETag": item.etag,
                "Size": item.size,
                "StorageClass": "STANDARD",
            }
            for item in contents
        ]
    if folders:
        entries["CommonPrefixes"] = [{"Prefix": shown(folder)} for folder in folders]
    return entries
