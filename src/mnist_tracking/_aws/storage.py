"""Files and folders uploaded to S3; objects listed, downloaded and deleted."""

import os
import tempfile
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import attrs
from botocore.exceptions import ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import exists, is_denied, is_missing, translated
from mnist_tracking._aws.staging import leave_out_homes, read_errors_translated, sendable
from mnist_tracking._values.archives import pack
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
    """Return the location of everything of an experiment: ``s3://bucket/prefix/experiment``."""
    return "s3://" + "/".join(part for part in (bucket, account.prefix, experiment) if part)


def upload_files(account: Account, directory: Path, uri: str, files: Iterable[Path]) -> None:
    """Upload files of a folder below *uri*, keeping their relative paths."""
    with read_errors_translated():
        for path in sorted(files):
            upload_file(account, path, f"{uri}/{path.relative_to(directory).as_posix()}")


def upload_file(account: Account, path: Path, uri: str) -> None:
    """Upload one file to *uri*."""
    bucket, key = split_uri(uri)
    with translated():
        account.client("s3").upload_file(str(path), bucket, key)


def sizes_below(account: Account, uri: str) -> dict[str, int]:
    """Return the size in bytes of each object below *uri*, by URI; nothing if the bucket does not exist."""
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


def unfinished_uploads(account: Account, uri: str) -> dict[str, list[str]]:
    """
    Return the IDs of the uploads in parts that were neither completed nor aborted, by the URI of their object.

    Args:
        account: Where they are.
        uri: Return those whose object's URI begins with it; none if the bucket does not exist.
    """
    bucket, prefix = split_uri(uri)
    found: dict[str, list[str]] = {}
    try:
        with translated():
            for page in (
                account.client("s3").get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
            ):
                for upload in page.get("Uploads", ()):
                    found.setdefault(f"s3://{bucket}/{upload['Key']}", []).append(upload["UploadId"])
    except ServiceError as error:
        if not is_missing(error):
            raise
    return found


def abort_uploads(account: Account, uri: str) -> bool:
    """Abort the unfinished uploads of one object, and return whether there were any."""
    bucket, key = split_uri(uri)
    client = account.client("s3")
    ids = unfinished_uploads(account, uri).get(uri, [])
    aborted = [exists(partial(client.abort_multipart_upload, Bucket=bucket, Key=key, UploadId=each)) for each in ids]
    return any(aborted)


def delete_objects(account: Account, uris: Iterable[str]) -> dict[str, ServiceError]:
    """Delete up to 1000 objects of one bucket in one request, and return the errors of those that were not deleted."""
    (bucket, *_), keys = zip(*map(split_uri, uris), strict=True)
    with translated():
        response = account.client("s3").delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
    return {
        f"s3://{bucket}/{error['Key']}": ServiceError(error["Code"], "DeleteObjects", error.get("Message", ""))
        for error in response.get("Errors", ())
    }


def location_of(uri: str, locations: Container[str]) -> str | None:
    """
    Return the location that holds an object: its own URI or that of a folder above it; None if none is given.

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
    """An object in S3: its URI, its ETag, its size in bytes, and when it was last written."""

    uri: str
    etag: str
    size: int
    modified: datetime


def find_object(account: Account, uri: str) -> StoredObject | None:
    """
    Return the object at *uri*; None if it does not exist.

    Raises:
        AccessDeniedError: If reading it is not allowed, or if it is missing and listing the bucket is not allowed.
    """
    bucket, key = split_uri(uri)
    if not key:
        return None
    with translated(), _denials_name(uri):
        try:
            found = account.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    return StoredObject(uri, found["ETag"], found["ContentLength"], found["LastModified"])


def objects_below(account: Account, uri: str) -> Iterator[StoredObject]:
    """Yield the objects in the folder *uri*, in order of their keys; none if the bucket does not exist."""
    bucket, prefix = split_uri(f"{uri.rstrip('/')}/")
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with translated(), _denials_name(uri):
        try:
            for page in pages:
                for item in page.get("Contents", ()):
                    yield StoredObject(f"s3://{bucket}/{item['Key']}", item["ETag"], item["Size"], item["LastModified"])
        except ClientError as error:
            if not is_missing(error):
                raise


def download_object(account: Account, uri: str, path: Path) -> None:
    """
    Download the object at *uri* to a file; an interrupted download leaves no file.

    Raises:
        NotFoundError: If the object does not exist.
        AccessDeniedError: If reading it is not allowed.
    """
    bucket, key = split_uri(uri)
    with translated(), _denials_name(uri):
        try:
            account.client("s3").download_file(bucket, key, str(path))
        except ClientError as error:
            if is_missing(error):
                raise NotFoundError("object", uri) from error
            raise


@contextmanager
def _denials_name(uri: str) -> Iterator[None]:
    """Name the object in the error for a denied request; the response to a HEAD request does not."""
    try:
        yield
    except ClientError as error:
        if is_denied(error):
            raise AccessDeniedError("AccessDenied", error.operation_name, f"no permission to read {uri}") from error
        raise


@attrs.frozen
class UploadedModel:
    """The S3 locations of a model and of the code that serves it, and the name of the script in that code."""

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
        ConfigError: If the model or the script does not exist. Nothing was uploaded.
    """
    if not (path.is_file() or path.is_dir()):
        raise ConfigError(f"The model {str(path)!r} does not exist, or is not a file or folder.")
    script = find_script(entry_point, source_dir)
    code = script if script is None or source_dir is None else script.parent
    for sent in filter(None, (path, code)):
        if sent.is_dir():
            sendable(sent)
    uri = f"{folder}/model.tar.gz"
    _upload_packed(account, path, uri)
    if script is None:
        return UploadedModel(uri, None, None)
    code_uri = f"{folder}/sourcedir.tar.gz"
    _upload_packed(account, code or script, code_uri)
    return UploadedModel(uri, code_uri, script.name)


def find_script(entry_point: str | os.PathLike[str] | None, source_dir: str | os.PathLike[str] | None) -> Path | None:
    """
    Return the script that an endpoint runs: a file, or a file at the top of a folder; None if none is given.

    Raises:
        ConfigError: If it does not exist.
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
    Check that an endpoint can run a script.

    Raises:
        ConfigError: If *source_dir* is given without a script, or the script is not at its top.
    """
    for name, given in (("entry_point", entry_point), ("source_dir", source_dir)):
        if given is not None:
            check_path(name, given)
    if source_dir is None:
        return
    if entry_point is None:
        raise ConfigError("source_dir needs an entry_point: the script in it that defines model_fn.")
    if len(Path(entry_point).parts) > 1:
        raise ConfigError(
            f"The entry point {str(entry_point)!r} is not at the top of source_dir, from where an endpoint imports it."
        )


def _upload_packed(account: Account, path: Path, uri: str) -> None:
    """Upload a file, or the contents of a folder, as an archive."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "archive.tar.gz")
        with read_errors_translated():
            pack([path], archive, leave_out_homes)
        upload_file(account, archive, uri)
