"""Folders to S3 and objects out of it."""

import os
from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking.errors import ServiceError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


def split_uri(uri: str) -> tuple[str, str]:
    """
    Return the bucket and the key of ``s3://bucket/key``.

    Example:
        >>> split_uri("s3://bucket/why?/part#1.csv")
        ('bucket', 'why?/part#1.csv')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key.lstrip("/")


def experiment_folder(workspace: "Workspace", bucket: str, experiment: str) -> str:
    """Return where everything of an experiment goes: ``s3://bucket/prefix/experiment``."""
    return "s3://" + "/".join(part for part in (bucket, workspace.prefix, experiment) if part)


def upload_directory(
    workspace: "Workspace", directory: str | os.PathLike[str], uri: str, *, files: Iterable[Path] | None = None
) -> None:
    """Upload files of a folder (by default all) below *uri*, keeping their relative paths."""
    root = Path(directory)
    for path in sorted(files if files is not None else (p for p in root.rglob("*") if p.is_file())):
        upload_file(workspace, path, f"{uri}/{path.relative_to(root).as_posix()}")


def upload_file(workspace: "Workspace", path: Path, uri: str) -> None:
    """Upload one file to *uri*."""
    bucket, key = split_uri(uri)
    with translated():
        workspace.client("s3").upload_file(str(path), bucket, key)


def sizes_below(workspace: "Workspace", uri: str) -> dict[str, int]:
    """Return the size in bytes of each object below *uri*, by where it is; a bucket that is not there has none."""
    bucket, prefix = split_uri(uri)
    pages = workspace.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    try:
        with translated():
            found = [item for page in pages for item in page.get("Contents", ())]
    except ServiceError as error:
        if is_missing(error):
            return {}
        raise
    return {f"s3://{bucket}/{item['Key']}": item["Size"] for item in found}


def delete_objects(workspace: "Workspace", uris: Iterable[str]) -> dict[str, ServiceError]:
    """Delete up to 1000 objects of one bucket in one request; returns what is not deleted, with the reason."""
    (bucket, *_), keys = zip(*map(split_uri, uris), strict=True)
    with translated():
        told = workspace.client("s3").delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
    return {
        f"s3://{bucket}/{error['Key']}": ServiceError(error["Code"], "DeleteObjects", error.get("Message", ""))
        for error in told.get("Errors", ())
    }


def location_of(uri: str, locations: Container[str]) -> str | None:
    """
    Return which of some locations an object is at: its own, or that of a folder that holds it.

    Example:
        >>> location_of("s3://bucket/data/rows.csv", {"s3://bucket/data"})
        's3://bucket/data'
    """
    while uri not in locations:
        uri, slash, _ = uri.rpartition("/")
        if not slash:
            return None
    return uri
