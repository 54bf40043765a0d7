"""Objects: put, get, head, delete, ranges and conditions."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.client_errors import code

from mnist_tracking.embedded.engine import EmbeddedSageMaker

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MD5_OF_SEVEN = '"bb3aec0fdcdbc2974890f805c585d432"'


@pytest.mark.parametrize(
    "body", [b"seven", bytearray(b"seven"), io.BytesIO(b"seven")], ids=lambda body: type(body).__name__
)
def test_object_is_read_as_it_was_written(s3: "S3Client", body: Any) -> None:
    etag = s3.put_object(Bucket="digits", Key="7", Body=body)["ETag"]

    found = s3.get_object(Bucket="digits", Key="7")
    assert found["Body"].read() == b"seven"
    assert etag == found["ETag"] == MD5_OF_SEVEN
    assert (found["ContentLength"], found["ContentType"], found["Metadata"]) == (5, "binary/octet-stream", {})


def test_file_is_uploaded_from_its_current_position(s3: "S3Client", tmp_path: Path) -> None:
    (tmp_path / "digits").write_bytes(b"six seven")
    with (tmp_path / "digits").open("rb") as file:
        file.seek(4)
        s3.put_object(Bucket="digits", Key="7", Body=file)

    assert s3.get_object(Bucket="digits", Key="7")["Body"].read() == b"seven"


def test_an_empty_object_is_an_object(s3: "S3Client") -> None:
    s3.put_object(Bucket="digits", Key="folder/")

    found = s3.get_object(Bucket="digits", Key="folder/")
    assert (found["Body"].read(), found["ContentLength"]) == (b"", 0)


def test_headers_of_an_object_are_returned(s3: "S3Client") -> None:
    """Names of metadata are sent as HTTP headers, which S3 returns in lower case."""
    said: Any = {
        "ContentType": "text/plain",
        "ContentEncoding": "gzip",
        "CacheControl": "no-store",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "key",
    }
    put = s3.put_object(Bucket="digits", Key="7", Body=b"", Metadata={"Writer": "me"}, Tagging="a=1&b=two+2", **said)

    head = s3.head_object(Bucket="digits", Key="7")
    assert said.items() <= head.items()
    assert head["Metadata"] == {"writer": "me"}
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", "key")
    assert s3.get_object_tagging(Bucket="digits", Key="7")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "two 2"},
    ]


def test_head_has_size_and_time(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path, clock=lambda: 1_800_000_000.0)
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="digits")
    s3.put_object(Bucket="digits", Key="7", Body=b"seven")

    head = s3.head_object(Bucket="digits", Key="7")
    assert (head["ContentLength"], head["LastModified"]) == (5, datetime.fromtimestamp(1_800_000_000, UTC))
    engine.close()


def test_a_missing_key_has_a_code_and_its_head_a_status(s3: "S3Client") -> None:
    with pytest.raises(s3.exceptions.NoSuchKey) as get:
        s3.get_object(Bucket="digits", Key="8")
    with pytest.raises(ClientError) as head:
        s3.head_object(Bucket="digits", Key="8")

    assert code(get) == ("NoSuchKey", 404)
    assert code(head) == ("404", 404)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=2-3", 2, 4), ("bytes=2-", 2, 5), ("bytes=-2", 3, 5), ("bytes=0-99", 0, 5), ("bytes=-99", 0, 5)],
)
def test_a_range_is_a_part(s3: "S3Client", asked: str, start: int, end: int) -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven")

    part = s3.get_object(Bucket="digits", Key="7", Range=asked)
    assert part["Body"].read() == b"seven"[start:end]
    assert (part["ContentLength"], part["ContentRange"]) == (end - start, f"bytes {start}-{end - 1}/5")
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206


@pytest.mark.parametrize("asked", ["bytes=3-2", "lines=1-2", "bytes=-"])
def test_a_malformed_range_is_the_whole(s3: "S3Client", asked: str) -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven")

    found = s3.get_object(Bucket="digits", Key="7", Range=asked)
    assert found["Body"].read() == b"seven"
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "ContentRange" not in found


@pytest.mark.parametrize("asked", ["bytes=5-", "bytes=-0"])
def test_range_after_the_end_is_rejected(s3: "S3Client", asked: str) -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven")

    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="digits", Key="7", Range=asked)

    assert code(caught) == ("InvalidRange", 416)


HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    "condition",
    [
        {"IfMatch": MD5_OF_SEVEN},
        {"IfNoneMatch": '"0"'},
        {"IfModifiedSince": NOW - HOUR},
        {"IfUnmodifiedSince": NOW + HOUR},
        {"IfMatch": MD5_OF_SEVEN, "IfUnmodifiedSince": NOW - HOUR},
        {"IfNoneMatch": '"0"', "IfModifiedSince": NOW + HOUR},
    ],
    ids="+".join,
)
def test_condition_that_holds_allows_a_read(s3: "S3Client", condition: Any) -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven")

    assert s3.get_object(Bucket="digits", Key="7", **condition)["ContentLength"] == 5


@pytest.mark.parametrize(
    ("condition", "get_code", "head_code"),
    [
        ({"IfMatch": '"0"'}, ("PreconditionFailed", 412), ("412", 412)),
        ({"IfUnmodifiedSince": NOW - HOUR}, ("PreconditionFailed", 412), ("412", 412)),
        ({"IfNoneMatch": MD5_OF_SEVEN}, ("304", 304), ("304", 304)),
        ({"IfModifiedSince": NOW + HOUR}, ("304", 304), ("304", 304)),
    ],
    ids=["IfMatch", "IfUnmodifiedSince", "IfNoneMatch", "IfModifiedSince"],
)
def test_condition_that_fails_rejects_a_read(
    s3: "S3Client", condition: Any, get_code: tuple[str, int], head_code: tuple[str, int]
) -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven")

    with pytest.raises(ClientError) as get:
        s3.get_object(Bucket="digits", Key="7", **condition)
    with pytest.raises(ClientError) as head:
        s3.head_object(Bucket="digits", Key="7", **condition)

    assert (code(get), code(head)) == (get_code, head_code)


def test_a_conditional_write_does_not_overwrite(s3: "S3Client", contents_kept: Callable[[], int]) -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven", IfNoneMatch="*")

    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="digits", Key="7", Body=b"7", IfNoneMatch="*")

    assert code(caught) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket="digits", Key="7")["Body"].read() == b"seven"
    assert contents_kept() == 1


def test_write_can_require_what_it_replaces(s3: "S3Client") -> None:
    etag = s3.put_object(Bucket="digits", Key="7", Body=b"seven")["ETag"]
    s3.put_object(Bucket="digits", Key="7", Body=b"VII", IfMatch=etag)

    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="digits", Key="7", Body=b"7", IfMatch=etag)

    assert code(caught) == ("PreconditionFailed", 412)


def test_a_reader_keeps_the_content_that_it_opened(s3: "S3Client", contents_kept: Callable[[], int]) -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven" * 100_000)
    overwritten = s3.get_object(Bucket="digits", Key="7")["Body"]
    overwritten.read(5)
    s3.put_object(Bucket="digits", Key="7", Body=b"7")
    deleted = s3.get_object(Bucket="digits", Key="7")["Body"]
    s3.delete_object(Bucket="digits", Key="7")

    assert overwritten.read() == b"seven" * 99_999
    assert deleted.read() == b"7"
    assert contents_kept() == 0


def test_a_body_is_read_in_lines_chunks_and_buffers(s3: "S3Client") -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"six\nseven\n")

    assert list(s3.get_object(Bucket="digits", Key="7")["Body"].iter_lines()) == [b"six", b"seven"]
    assert list(s3.get_object(Bucket="digits", Key="7")["Body"].iter_chunks(4)) == [b"six\n", b"seve", b"n\n"]
    assert io.BufferedReader(s3.get_object(Bucket="digits", Key="7")["Body"]).read() == b"six\nseven\n"  # type: ignore[type-var]


def test_deleting_is_idempotent(s3: "S3Client") -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven")
    s3.delete_object(Bucket="digits", Key="7")

    assert s3.delete_object(Bucket="digits", Key="7")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_many_are_deleted_at_once(s3: "S3Client", contents_kept: Callable[[], int]) -> None:
    for key in "789":
        s3.put_object(Bucket="digits", Key=key, Body=key.encode())

    deleted = s3.delete_objects(Bucket="digits", Delete={"Objects": [{"Key": "7"}, {"Key": "8"}, {"Key": "10"}]})
    quiet = s3.delete_objects(Bucket="digits", Delete={"Objects": [{"Key": "9"}], "Quiet": True})

    assert [item["Key"] for item in deleted["Deleted"]] == ["7", "8", "10"]
    assert not quiet.get("Deleted")
    assert contents_kept() == 0


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"Key": "k" * 1025}, ("KeyTooLongError", 400)),
        ({"Key": "é" * 513}, ("KeyTooLongError", 400)),
        ({"Key": "7", "Tagging": "&".join(f"{n}=1" for n in range(11))}, ("BadRequest", 400)),
        ({"Key": "7", "ObjectLockLegalHoldStatus": "ON"}, ("NotImplemented", 501)),
    ],
)
def test_unsupported_headers_are_rejected(s3: "S3Client", request_: Any, expected: tuple[str, int]) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="digits", Body=b"", **request_)

    assert code(caught) == expected


def test_tags_are_replaced_and_deleted(s3: "S3Client") -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven", Tagging="a=1")
    s3.put_object_tagging(Bucket="digits", Key="7", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})

    assert s3.get_object_tagging(Bucket="digits", Key="7")["TagSet"] == [{"Key": "b", "Value": "2"}]
    s3.delete_object_tagging(Bucket="digits", Key="7")
    assert s3.get_object_tagging(Bucket="digits", Key="7")["TagSet"] == []
    assert s3.get_object(Bucket="digits", Key="7")["Body"].read() == b"seven"


KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.lists(
        st.sampled_from(["..", ".", "", "~", "a", "a b", "%2e%2e", "c:\\", "+", "?versionId=1", "#", "\0", "ü"]),
        min_size=1,
    )
    .map("/".join)
    .filter(bool),
)


@given(key=KEYS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_key_is_returned_as_written_and_stays_inside_the_home(
    s3: "S3Client", engine: EmbeddedSageMaker, key: str
) -> None:
    outside = sorted(engine.home.parent.iterdir())
    s3.put_object(Bucket="digits", Key=key, Body=key.encode())
    s3.copy_object(Bucket="digits", Key="copy", CopySource={"Bucket": "digits", "Key": key})

    listed = s3.list_objects_v2(Bucket="digits", Prefix=key)["Contents"]
    assert key in [item["Key"] for item in listed]
    assert key in [item["Key"] for item in s3.list_objects(Bucket="digits")["Contents"]]
    assert s3.get_object(Bucket="digits", Key=key)["Body"].read() == key.encode()
    assert s3.get_object(Bucket="digits", Key="copy")["Body"].read() == key.encode()
    assert sorted(engine.home.parent.iterdir()) == outside
    s3.delete_object(Bucket="digits", Key=key)


def test_error_of_the_callers_file_is_botocores(s3: "S3Client") -> None:
    """As when botocore sends it; nothing is stored."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("the disk of the caller is gone")

    with pytest.raises(HTTPClientError, match="the disk of the caller is gone"):
        s3.put_object(Bucket="digits", Key="7", Body=Broken())

    assert s3.list_objects_v2(Bucket="digits")["KeyCount"] == 0
