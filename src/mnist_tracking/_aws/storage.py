"""Folders to S3 and objects out of it."""

import os
import tarfile
import tempfile
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from botocore.exceptions import ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking._values.checks import check_path
from mnist_tracking.errors import AccessDeniedError, ConfigError, NotFoundError, ServiceError


def split_uri(uri: str) -> tuple[str, str]:
    """
    Return the bucket and the key of ``s3://bucket/key``.

    Example:
        >>> split_uri("s3://bucket/why?/part#1.csv")
        ('bucket', 'why?/part#1.csv')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key.lstrip("/")


def experiment_folder(account: Account, bucket: str, experiment: str) -> str:
    """Return where everything of an experiment goes: ``s3://bucket/prefix/experiment``."""
    return "s3://" + "/".join(part for part in (bucket, account.prefix, experiment) if part)


def upload_directory(
    account: Account, directory: str | os.PathLike[str], uri: str, *, files: Iterable[Path] | None = None
) -> None:
    """Upload files of a folder (by default all) below *uri*, keeping their relative paths."""
    root = Path(directory)
    for path in sorted(files if files is not None else (p for p in root.rglob("*") if p.is_file())):
        upload_file(account, path, f"{uri}/{path.relative_to(root).as_posix()}")


def upload_file(account: Account, path: Path, uri: str) -> None:
    """Upload one file to *uri*."""
    bucket, key = split_uri(uri)
    with translated():
        account.client("s3").upload_file(str(path), bucket, key)


def sizes_below(account: Account, uri: str) -> dict[str, int]:
    """Return the size in bytes of each object below *uri*, by where it is; a bucket that is not there has none."""
    bucket, prefix = split_uri(uri)
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    try:
        with translated():
            found = [item for page in pages for item in page.get("Contents", ())]
    except ServiceError as error:
        if is_missing(error):
            return {}
        raise
    return {f"s3://{bucket}/{item['Key']}": item["Size"] for item in found}


def delete_objects(account: Account, uris: Iterable[str]) -> dict[str, ServiceError]:
    """Delete up to 1000 objects of one bucket in one request; returns what is not deleted, with the reason."""
    (bucket, *_), keys = zip(*map(split_uri, uris), strict=True)
    with translated():
        told = account.client("s3").delete_objects(
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


@attrs.frozen
class StoredObject:
    """An object in S3: where it is, what names its content, and its size in bytes."""

    uri: str
    etag: str
    size: int


def find_object(account: Account, uri: str) -> StoredObject | None:
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
            found = account.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    return StoredObject(uri, found["ETag"], found["ContentLength"])


def objects_below(account: Account, uri: str) -> Iterator[StoredObject]:
    """Yield the objects in the folder *uri*, in order of their keys; a bucket that is gone has none."""
    bucket, prefix = split_uri(f"{uri.rstrip('/')}/")
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with translated(), _told_of(uri):
        try:
            for page in pages:
                for item in page.get("Contents", ()):
                    yield StoredObject(f"s3://{bucket}/{item['Key']}", item["ETag"], item["Size"])
        except ClientError as error:
            if not is_missing(error):
                raise


def download_object(account: Account, uri: str, path: Path) -> None:
    """
    Write the object at *uri* to a file; one that breaks off leaves none.

    Raises:
        NotFoundError: If it is gone.
        AccessDeniedError: If it may not be read.
    """
    bucket, key = split_uri(uri)
    with translated(), _told_of(uri):
        try:
            account.client("s3").download_file(bucket, key, str(path))
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


@attrs.frozen
class UploadedModel:
    """Where a model is, and the code that serves it: ``s3://`` locations, and the script's name in the code."""

    uri: str
    code_uri: str | None
    program: str | None


def upload_model(
    account: Account,
    path: Path,
    folder: str,
    entry_point: str | os.PathLike[str] | None,
    source_dir: str | os.PathLike[str] | None,
) -> UploadedModel:
    """
    Upload a file or a folder as ``model.tar.gz`` below *folder*, and its script as ``sourcedir.tar.gz``.

    Raises:
        ConfigError: If the model or the script is not there. Nothing was sent.
    """
    if not os.path.exists(path):
        raise ConfigError(f"There is no model {str(path)!r} to upload.")
    script = find_script(entry_point, source_dir)
    uri = f"{folder}/model.tar.gz"
    _upload_packed(account, path, uri)
    if script is None:
        return UploadedModel(uri, None, None)
    code_uri = f"{folder}/sourcedir.tar.gz"
    _upload_packed(account, script if source_dir is None else script.parent, code_uri)
    return UploadedModel(uri, code_uri, script.name)


def find_script(entry_point: str | os.PathLike[str] | None, source_dir: str | os.PathLike[str] | None) -> Path | None:
    """
    Return the script that an endpoint runs: a file, or one at the top of a folder; None if none is named.

    Raises:
        ConfigError: If it is not there.
    """
    check_script(entry_point, source_dir)
    if entry_point is None:
        return None
    script = Path(source_dir or "", entry_point)
    if not os.path.isfile(script):
        raise ConfigError(f"The entry point {str(script)!r} does not exist.")
    return script


def check_script(entry_point: str | os.PathLike[str] | None, source_dir: str | os.PathLike[str] | None) -> None:
    """
    Make sure that a script can be an endpoint's.

    Raises:
        ConfigError: If none is named, or not one at the top of *source_dir*.
    """
    for name, given in (("entry_point", entry_point), ("source_dir", source_dir)):
        if given is not None:
            check_path(name, given)
    if source_dir is None:
        return
    if entry_point is None:
        raise ConfigError("source_dir needs an entry_point: which of its scripts has model_fn?")
    if len(Path(entry_point).parts) > 1:
        raise ConfigError(
            f"The entry point {str(entry_point)!r} is not at the top of source_dir; an endpoint imports it from there."
        )


def _upload_packed(account: Account, path: Path, uri: str) -> None:
    """Upload a file, or what is in a folder, as one archive; links are followed."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "archive.tar.gz")
        with tarfile.open(archive, "w:gz", compresslevel=6, dereference=True) as tar:
            for item in sorted(path.iterdir()) if path.is_dir() else [path]:
                tar.add(item, arcname=item.name)
        upload_file(account, archive, uri)
