"""Buckets, and the checks that every call on one makes."""

import re

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import next_token, read_offset
from mnist_tracking.embedded.store.objects import buckets, ensure_bucket, has_bucket, remove_bucket, scan
from mnist_tracking.embedded.store.uploads import delete_upload, uploads_to
from mnist_tracking.embedded.times import as_datetime

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!xn--)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MOST_BUCKETS = 10_000


def no_such_bucket() -> AwsFault:
    """Build the error for a bucket that does not exist."""
    return AwsFault("The specified bucket does not exist", code="NoSuchBucket", status=404)


def require_bucket(call: Call, *, is_head: bool = False) -> str:
    """
    Return the bucket of a call.

    The response to HEAD has no body, so its error has no code: botocore shows the status instead.

    Raises:
        AwsFault: NoSuchBucket if it does not exist; AccessDenied if the caller expects another owner.
    """
    name: str = call.params["Bucket"]
    if not has_bucket(call.context.store, name):
        raise AwsFault("Not Found", code="404", status=404) if is_head else no_such_bucket()
    require_owner(call, call.params.get("ExpectedBucketOwner"), is_head=is_head)
    return name


def require_owner(call: Call, owner: str | None, *, is_head: bool = False) -> None:
    """Raise AccessDenied if the expected owner of a bucket is somebody else."""
    if owner is not None and owner != call.context.identity.account_id:
        message, code = ("Forbidden", "403") if is_head else ("Access Denied", "AccessDenied")
        raise AwsFault(message, code=code, status=403)


@serves("s3", "CreateBucket")
def create_bucket(call: Call) -> Response:
    """Create a bucket. An existing one raises BucketAlreadyOwnedByYou, also in us-east-1, where S3 accepts the call."""
    name, store = call.params["Bucket"], call.context.store
    if not _NAME.fullmatch(name):
        raise AwsFault("The specified bucket is not valid.", code="InvalidBucketName")
    _check_location(call)
    with store.write():
        if has_bucket(store, name):
            message = "Your previous request to create the named bucket succeeded and you already own it."
            raise AwsFault(message, code="BucketAlreadyOwnedByYou", status=409)
        ensure_bucket(store, name, call.context.now())
    return {"Location": f"/{name}"}


def _check_location(call: Call) -> None:
    region = call.context.identity.region
    asked = call.params.get("CreateBucketConfiguration", {}).get("LocationConstraint")
    if asked == "us-east-1":
        raise AwsFault("The specified location-constraint is not valid", code="InvalidLocationConstraint")
    if (asked or "us-east-1") != region:
        message = (
            f"The {asked or 'unspecified'} location constraint is incompatible for the region specific endpoint this "
            "request was sent to."
        )
        raise AwsFault(message, code="IllegalLocationConstraintException")


@serves("s3", "HeadBucket")
def head_bucket(call: Call) -> Response:
    require_bucket(call, is_head=True)
    return {"BucketRegion": call.context.identity.region}


@serves("s3", "GetBucketLocation")
def get_bucket_location(call: Call) -> Response:
    require_bucket(call)
    region = call.context.identity.region
    return {} if region == "us-east-1" else {"LocationConstraint": region}


@serves("s3", "ListBuckets")
def list_buckets(call: Call) -> Response:
    prefix, size = call.params.get("Prefix", ""), call.params.get("MaxBuckets", _MOST_BUCKETS)
    offset = read_offset({"NextToken": call.params.get("ContinuationToken")})
    with call.context.store.read() as connection:
        found = buckets(connection)
    matching = [bucket for bucket in found if bucket.name.startswith(prefix)][offset : offset + size + 1]
    listed = [{"Name": bucket.name, "CreationDate": as_datetime(bucket.created)} for bucket in matching[:size]]
    token = next_token(offset, size, len(matching))
    response = {"Buckets": listed, "Owner": {"ID": call.context.identity.account_id}}
    return {**response, "ContinuationToken": token["NextToken"]} if token else response


@serves("s3", "DeleteBucket")
def delete_bucket(call: Call) -> Response:
    """Delete an empty bucket. Incomplete uploads to it are deleted, too."""
    name, store = require_bucket(call), call.context.store
    with store.write() as connection:
        if scan(connection, name, "", None, limit=1).fetchone():
            raise AwsFault("The bucket you tried to delete is not empty", code="BucketNotEmpty", status=409)
        contents = [blob for upload in uploads_to(connection, name) for blob in delete_upload(connection, upload.id)]
        remove_bucket(connection, name)
    store.blobs.delete(*contents)
    return {}
