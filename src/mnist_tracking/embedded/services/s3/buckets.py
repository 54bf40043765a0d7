"""Buckets, and the checks that every call on one makes."""

import re

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.store.objects import ensure_bucket, has_bucket, list_objects
from mnist_tracking.embedded.times import as_datetime

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def require_bucket(call: Call, *, is_head: bool = False) -> str:
    """
    Return the name of the bucket that a call is about.

    Raises:
        AwsFault: NoSuchBucket if there is none; AccessDenied if the caller expects another owner.
    """
    name: str = call.params["Bucket"]
    if not has_bucket(call.engine.store, name):
        code = "404" if is_head else "NoSuchBucket"
        raise AwsFault("The specified bucket does not exist" if not is_head else "Not Found", code=code, status=404)
    owner = call.params.get("ExpectedBucketOwner")
    if owner is not None and owner != call.engine.identity.account_id:
        raise AwsFault(
            "Forbidden" if is_head else "Access Denied", code="403" if is_head else "AccessDenied", status=403
        )
    return name


@serves("s3", "CreateBucket")
def create_bucket(call: Call) -> Response:
    name = call.params["Bucket"]
    if not _NAME.fullmatch(name):
        raise AwsFault("The specified bucket is not valid.", code="InvalidBucketName")
    if has_bucket(call.engine.store, name):
        said = "Your previous request to create the named bucket succeeded and you already own it."
        raise AwsFault(said, code="BucketAlreadyOwnedByYou", status=409)
    ensure_bucket(call.engine.store, name, call.engine.now())
    return {"Location": f"/{name}"}


@serves("s3", "HeadBucket")
def head_bucket(call: Call) -> Response:
    require_bucket(call, is_head=True)
    return {"BucketRegion": call.engine.identity.region}


@serves("s3", "GetBucketLocation")
def get_bucket_location(call: Call) -> Response:
    require_bucket(call)
    region = call.engine.identity.region
    return {} if region == "us-east-1" else {"LocationConstraint": region}


@serves("s3", "ListBuckets")
def list_buckets(call: Call) -> Response:
    with call.engine.store.read() as connection:
        rows = connection.execute("SELECT * FROM buckets ORDER BY name").fetchall()
    buckets = [{"Name": row["name"], "CreationDate": as_datetime(row["created"])} for row in rows]
    return {"Buckets": buckets, "Owner": {"ID": call.engine.identity.account_id}}


@serves("s3", "DeleteBucket")
def delete_bucket(call: Call) -> Response:
    name = require_bucket(call)
    if list_objects(call.engine.store, name, limit=1):
        raise AwsFault("The bucket you tried to delete is not empty", code="BucketNotEmpty", status=409)
    with call.engine.store.write() as connection:
        connection.execute("DELETE FROM uploads WHERE bucket = ?", (name,))
        connection.execute("DELETE FROM buckets WHERE name = ?", (name,))
    return {}
