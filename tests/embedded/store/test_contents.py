"""A content that is lost or altered is a clear error, never somebody's data."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, FlexibleChecksumError
from botocore.response import StreamingBody

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store.contents import ContentError
from mnist_tracking.embedded.store.objects import download
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ALTERED, CUT = b"c0ntent", b"con"


@pytest.fixture
def s3(engine: EmbeddedSageMaker) -> "S3Client":
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"content")
    return s3


def begin(s3: "S3Client", key: str) -> dict[str, Any]:
    """Begin an upload; return what its calls need."""
    return {
        "Bucket": "bucket",
        "Key": key,
        "UploadId": s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"],
    }


@pytest.fixture
def content(engine: EmbeddedSageMaker, s3: "S3Client") -> Path:
    """The file of the only content."""
    (found,) = (path for path in (engine.home / "s3").rglob("*") if path.is_file())
    return found


def test_lost_content_is_an_error(s3: "S3Client", content: Path) -> None:
    content.unlink()
    with pytest.raises(ClientError, match=r"InternalError.*is missing"):
        s3.get_object(Bucket="bucket", Key="key")


def test_content_of_another_size_is_an_error(s3: "S3Client", content: Path) -> None:
    """Also for a part of it."""
    content.write_bytes(CUT)
    parts: list[Any] = [{}, {"Range": "bytes=0-1"}]
    for part in parts:
        with pytest.raises(ClientError, match=r"InternalError.*has 3 bytes instead of 7"):
            s3.get_object(Bucket="bucket", Key="key", **part)


def _read_to_the_end(body: StreamingBody, size: int | None) -> None:
    while body.read(size):
        pass


@pytest.mark.parametrize("size", [None, 3])
def test_altered_content_is_an_error_when_its_end_is_read(s3: "S3Client", content: Path, size: int | None) -> None:
    content.write_bytes(ALTERED)
    body = s3.get_object(Bucket="bucket", Key="key")["Body"]
    reason = r"has changed: its MD5 is \w+ instead of 9a0364b9e99bb480dd25e1f0284c8555"
    with pytest.raises(FlexibleChecksumError, match=reason):
        _read_to_the_end(body, size)
    assert s3.get_object(Bucket="bucket", Key="key", Range="bytes=2-3")["Body"].read() == b"nt"


def test_altered_content_is_not_copied(s3: "S3Client", content: Path) -> None:
    """Neither to another key nor as a part."""
    content.write_bytes(ALTERED)
    upload = begin(s3, "copy")
    calls: list[Callable[[], object]] = [
        lambda: s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/key"),
        lambda: s3.upload_part_copy(**upload, PartNumber=1, CopySource="bucket/key"),
    ]
    for call in calls:
        with pytest.raises(ClientError, match=r"InternalError.*has changed"):
            call()

    assert [path.read_bytes() for path in content.parents[1].rglob("*") if path.is_file()] == [ALTERED]


def test_altered_part_is_not_joined(s3: "S3Client", engine: EmbeddedSageMaker) -> None:
    s3.delete_object(Bucket="bucket", Key="key")
    upload = begin(s3, "joined")
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"content")["ETag"]
    (part,) = (path for path in (engine.home / "s3").rglob("*") if path.is_file())
    part.write_bytes(ALTERED)
    with pytest.raises(ClientError, match=r"InternalError.*has changed"):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})


def test_joined_content_is_checked_too(s3: "S3Client", engine: EmbeddedSageMaker) -> None:
    """Its ETag is no MD5, but its MD5 is kept."""
    s3.delete_object(Bucket="bucket", Key="key")
    upload = begin(s3, "joined")
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"content")["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert s3.get_object(Bucket="bucket", Key="joined")["Body"].read() == b"content"
    (joined,) = (path for path in (engine.home / "s3").rglob("*") if path.is_file())
    joined.write_bytes(ALTERED)
    with pytest.raises(FlexibleChecksumError, match="has changed"):
        s3.get_object(Bucket="bucket", Key="joined")["Body"].read()


@pytest.mark.usefixtures("s3")
def test_job_does_not_train_on_an_altered_content(engine: EmbeddedSageMaker, content: Path, tmp_path: Path) -> None:
    content.write_bytes(ALTERED)
    with pytest.raises(ContentError, match="has changed"):
        download(engine.store, "s3://bucket/key", tmp_path / "channel")


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(("found", "reason"), [(None, "is missing"), (CUT, "has 3 bytes"), (ALTERED, "has changed")])
def test_backup_of_a_lost_or_altered_content_is_rejected(
    engine: EmbeddedSageMaker, content: Path, tmp_path: Path, found: bytes | None, reason: str
) -> None:
    """It would be no copy. The error names the file in the home; nothing is left of the backup."""
    content.unlink()
    if found is not None:
        content.write_bytes(found)
    with pytest.raises(ConfigError, match=rf"{content}' {reason}"):
        engine.backup(tmp_path / "backups" / "copy")

    assert list((tmp_path / "backups").iterdir()) == []
