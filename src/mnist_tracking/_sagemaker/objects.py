"""Folders to S3 and objects out of it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from mnist_tracking._sagemaker.errors import translated

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


def split_uri(uri: str) -> tuple[str, str]:
    """Return the bucket and the key of ``s3://bucket/key``."""
    parsed = urlparse(uri)
    return parsed.netloc, parsed.path.lstrip("/")


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


def iter_keys(workspace: "Workspace", uri: str) -> Iterator[str]:
    """Yield the keys below *uri*."""
    bucket, prefix = split_uri(uri)
    with translated():
        for page in workspace.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", ()))


def delete_below(workspace: "Workspace", uri: str, *, keep: Iterable[str] = ()) -> int:
    """Delete every object below *uri*, but for those at the locations to *keep*, and return how many there were."""
    bucket, _ = split_uri(uri)
    kept = [split_uri(location)[1] for location in keep if split_uri(location)[0] == bucket]
    keys = [key for key in iter_keys(workspace, uri) if not any(_is_at(key, location) for location in kept)]
    with translated():
        for start in range(0, len(keys), 1000):
            batch = [{"Key": key} for key in keys[start : start + 1000]]
            workspace.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
    return len(keys)


def _is_at(key: str, location: str) -> bool:
    return key == location or key.startswith(f"{location.rstrip('/')}/")
