"""boto3's own transfers, with their threads and parts, and many writers at once."""

import io
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from boto3.s3.transfer import TransferConfig

from mnist_tracking.embedded.engine import EmbeddedSageMaker

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1 << 20
CONFIG = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)


@pytest.fixture(scope="module")
def content() -> bytes:
    return os.urandom(12 * MIB + 7)


@pytest.mark.parametrize("size", [0, 5, 5 * MIB, 12 * MIB + 7])
def test_file_is_uploaded_and_downloaded(s3: "S3Client", tmp_path: Path, content: bytes, size: int) -> None:
    (tmp_path / "up").write_bytes(content[:size])
    s3.upload_file(str(tmp_path / "up"), "digits", "7", ExtraArgs={"ContentType": "text/plain"}, Config=CONFIG)
    s3.download_file("digits", "7", str(tmp_path / "down"), Config=CONFIG)

    assert (tmp_path / "down").read_bytes() == content[:size]
    assert s3.head_object(Bucket="digits", Key="7")["ContentType"] == "text/plain"


def test_stream_is_uploaded_and_downloaded(s3: "S3Client", content: bytes, contents_kept: Callable[[], int]) -> None:
    received = io.BytesIO()
    s3.upload_fileobj(io.BytesIO(content), "digits", "7", Config=CONFIG)
    s3.download_fileobj("digits", "7", received, Config=CONFIG)

    assert received.getvalue() == content
    assert s3.head_object(Bucket="digits", Key="7")["ETag"].endswith('-3"')
    assert contents_kept() == 1


@pytest.mark.parametrize("size", [5, 12 * MIB + 7])
def test_a_copy_of_any_size(s3: "S3Client", content: bytes, size: int) -> None:
    s3.put_object(Bucket="digits", Key="7", Body=content[:size])
    s3.copy({"Bucket": "digits", "Key": "7"}, "digits", "copy", Config=CONFIG)

    assert s3.get_object(Bucket="digits", Key="copy")["Body"].read() == content[:size]


def test_readers_see_one_of_the_writers_whole(s3: "S3Client", contents_kept: Callable[[], int]) -> None:
    """No reader sees a partial object while others overwrite it, and no overwritten content is left behind."""
    bodies = [bytes([digit]) * 50_000 for digit in range(8)]
    s3.put_object(Bucket="digits", Key="7", Body=bodies[0])

    def write(body: bytes) -> None:
        for _ in range(5):
            s3.put_object(Bucket="digits", Key="7", Body=body)

    def read(_: int) -> bytes:
        return s3.get_object(Bucket="digits", Key="7")["Body"].read()

    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write, body) for body in bodies]
        seen = list(pool.map(read, range(40)))
        for done in writing:
            done.result()

    assert all(body in bodies for body in seen)
    assert contents_kept() == 1


def test_of_two_conditional_writers_one_wins(engine: EmbeddedSageMaker, s3: "S3Client") -> None:
    together = threading.Barrier(4)

    def write(number: int) -> bool:
        together.wait()
        try:
            s3.put_object(Bucket="digits", Key="lock", Body=b"%d" % number, IfNoneMatch="*")
        except s3.exceptions.ClientError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(write, range(4))) == 1


def test_objects_survive_reopening(engine: EmbeddedSageMaker, s3: "S3Client") -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven", Metadata={"writer": "me"})
    engine.close()
    reopened = EmbeddedSageMaker(engine.home)

    found = reopened.session().client("s3").get_object(Bucket="digits", Key="7")
    assert (found["Body"].read(), found["Metadata"]) == (b"seven", {"writer": "me"})
    reopened.close()


@pytest.mark.parametrize("size", [5, 12 * MIB + 7])
def test_transfer_reports_its_progress(s3: "S3Client", tmp_path: Path, content: bytes, size: int) -> None:
    """For uploads and downloads, in one part or several, each byte is reported once: a progress bar ends at 100 %."""
    (tmp_path / "up").write_bytes(content[:size])
    up: list[int] = []
    down: list[int] = []
    s3.upload_file(str(tmp_path / "up"), "digits", "7", Callback=up.append)
    s3.download_file("digits", "7", str(tmp_path / "down"), Callback=down.append)

    assert (sum(up), sum(down)) == (size, size)
