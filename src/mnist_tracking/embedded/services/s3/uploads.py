"""Listings of uploads in progress and of their parts."""

import json
import sqlite3
from urllib.parse import quote

from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.services.s3.multipart import parts_of, require_upload
from mnist_tracking.embedded.times import as_datetime

_PAGE = 1000


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
    """List uploads by key and time; a delimiter is not looked at."""
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
