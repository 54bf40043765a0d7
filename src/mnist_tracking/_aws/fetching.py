"""Objects in S3, looked up and fetched, each refusal with the object it is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from botocore.exceptions import ClientError

from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking._aws.storage import split_uri
from mnist_tracking.errors import AccessDeniedError, NotFoundError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


@attrs.frozen
class StoredObject:
    """An object in S3: where it is, what names its content, and its size in bytes."""

    uri: str
    etag: str
    size: int


def find_object(workspace: "Workspace", uri: str) -> StoredObject | None:
    """
    Return the object at *uri*; None if there is none.

    Raises:
        AccessDeniedError: If it may not be read, or nobody says whether it is there, as the bucket may not be listed.
    """
    bucket, key = split_uri(uri)
    if not key:
        return None
    with translated(), _told_of(uri):
        try:
            found = workspace.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    return StoredObject(uri, found["ETag"], found["ContentLength"])


def objects_below(workspace: "Workspace", uri: str) -> Iterator[StoredObject]:
    """Yield the objects in the folder *uri*, in order of their keys; a bucket that is gone has none."""
    bucket, prefix = split_uri(f"{uri.rstrip('/')}/")
    pages = workspace.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with translated(), _told_of(uri):
        try:
            for page in pages:
                for item in page.get("Contents", ()):
                    yield StoredObject(f"s3://{bucket}/{item['Key']}", item["ETag"], item["Size"])
        except ClientError as error:
            if not is_missing(error):
                raise


def download_object(workspace: "Workspace", uri: str, path: Path) -> None:
    """
    Write the object at *uri* to a file; one that breaks off leaves none.

    Raises:
        NotFoundError: If it is gone.
        AccessDeniedError: If it may not be read.
    """
    bucket, key = split_uri(uri)
    with translated(), _told_of(uri):
        try:
            workspace.client("s3").download_file(bucket, key, str(path))
        except ClientError as error:
            if is_missing(error):
                raise NotFoundError("object", uri) from error
            raise


@contextmanager
def _told_of(uri: str) -> Iterator[None]:
    """Say which object may not be read: a HEAD request has no answer that would."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in ("403", "AccessDenied"):
            raise AccessDeniedError("AccessDenied", error.operation_name, f"{uri} may not be read") from error
        raise
