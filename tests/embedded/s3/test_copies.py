"""Copies inside S3."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from tests.support.client_errors import code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SOURCE: Any = {"Bucket": "digits", "Key": "7"}


@pytest.fixture(autouse=True)
def original(s3: "S3Client") -> None:
    said: Any = {
        "ContentType": "text/plain",
        "Metadata": {"writer": "me"},
        "Tagging": "a=1",
        "ServerSideEncryption": "AES256",
    }
    s3.put_object(Bucket="digits", Key="7", Body=b"seven", **said)


@pytest.mark.parametrize("source", [SOURCE, "digits/7", "/digits/7"])
def test_copy_has_the_content_and_the_headers(s3: "S3Client", source: Any) -> None:
    s3.create_bucket(Bucket="letters")
    s3.copy_object(Bucket="letters", Key="VII", CopySource=source)

    copy = s3.get_object(Bucket="letters", Key="VII")
    assert copy["Body"].read() == b"seven"
    assert (copy["ContentType"], copy["Metadata"], copy["TagCount"]) == ("text/plain", {"writer": "me"}, 1)
    assert "ServerSideEncryption" not in copy


def test_headers_are_replaced_on_request(s3: "S3Client") -> None:
    s3.copy_object(
        Bucket="digits",
        Key="7",
        CopySource=SOURCE,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        Metadata={"writer": "you"},
    )

    copy = s3.get_object(Bucket="digits", Key="7")
    assert copy["Body"].read() == b"seven"
    assert (copy["ContentType"], copy["Metadata"]) == ("binary/octet-stream", {"writer": "you"})
    assert "TagCount" not in copy


def test_a_copy_onto_itself_must_change_something(s3: "S3Client") -> None:
    s3.copy_object(Bucket="digits", Key="7", CopySource=SOURCE, ServerSideEncryption="aws:kms")

    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket="digits", Key="7", CopySource=SOURCE, ServerSideEncryption="aws:kms")

    assert code(caught) == ("InvalidRequest", 400)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"CopySource": {"Bucket": "digits", "Key": "8"}}, ("NoSuchKey", 404)),
        ({"CopySource": {"Bucket": "letters", "Key": "7"}}, ("NoSuchBucket", 404)),
        ({"CopySource": "digits"}, ("InvalidArgument", 400)),
        ({"CopySource": SOURCE, "CopySourceIfMatch": '"0"'}, ("PreconditionFailed", 412)),
        ({"CopySource": SOURCE, "CopySourceIfNoneMatch": "*"}, ("PreconditionFailed", 412)),
        ({"CopySource": SOURCE, "ExpectedSourceBucketOwner": "111122223333"}, ("AccessDenied", 403)),
    ],
)
def test_invalid_copy_is_rejected(s3: "S3Client", request_: Any, expected: tuple[str, int]) -> None:
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket="digits", Key="9", **request_)

    assert code(caught) == expected
