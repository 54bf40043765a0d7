"""Tags of objects."""

import attrs

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.services.s3.requests import checked_tags, require_found
from mnist_tracking.embedded.store import objects as stored


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
