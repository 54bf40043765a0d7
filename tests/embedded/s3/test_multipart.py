"""Multipart uploads, part by part."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from tests.support.client_errors import code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BIG = b"seven" * (1 << 20)  # 5 MiB, the least that a part may have that is not the last


class Upload:
    """An upload in progress."""

    def __init__(self, s3: "S3Client", **said: Any) -> None:
        self.s3 = s3
        begun = s3.create_multipart_upload(Bucket="digits", Key="7", **said)
        self.about: Any = {"Bucket": "digits", "Key": "7", "UploadId": begun["UploadId"]}
        self.parts: list[Any] = []

    def put(self, number: int, body: bytes) -> None:
        etag = self.s3.upload_part(PartNumber=number, Body=body, **self.about)["ETag"]
        self.parts.append({"PartNumber": number, "ETag": etag})

    def complete(self, *parts: Any) -> Any:
        return self.s3.complete_multipart_upload(MultipartUpload={"Parts": list(parts) or self.parts}, **self.about)


@pytest.fixture
def upload(s3: "S3Client") -> Upload:
    return Upload(s3, ContentType="text/plain", Metadata={"writer": "me"}, ServerSideEncryption="aws:kms")


def test_parts_become_one_object(s3: "S3Client", upload: Upload, contents_kept: Callable[[], int]) -> None:
    """The ETag is the MD5 of the parts' MD5s, with their number, not the MD5 of the content."""
    upload.put(3, b"end")
    upload.put(1, BIG)
    done = upload.complete(upload.parts[1], upload.parts[0])

    found = s3.get_object(Bucket="digits", Key="7")
    assert found["Body"].read() == BIG + b"end"
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"writer": "me"})
    digests = b"".join(hashlib.md5(part).digest() for part in (BIG, b"end"))
    assert done["ETag"] == found["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    assert done["ServerSideEncryption"] == "aws:kms"
    assert contents_kept() == 1


def test_a_part_can_be_put_again(s3: "S3Client", upload: Upload, contents_kept: Callable[[], int]) -> None:
    upload.put(1, b"six")
    upload.put(1, b"seven")

    assert contents_kept() == 1
    upload.complete(upload.parts[1])
    assert s3.get_object(Bucket="digits", Key="7")["Body"].read() == b"seven"


def test_object_is_invisible_until_it_is_complete(s3: "S3Client", upload: Upload) -> None:
    upload.put(1, b"seven")

    assert s3.list_objects_v2(Bucket="digits")["KeyCount"] == 0


def test_aborting_leaves_nothing(s3: "S3Client", upload: Upload, contents_kept: Callable[[], int]) -> None:
    upload.put(1, b"seven")
    s3.abort_multipart_upload(**upload.about)

    assert contents_kept() == 0
    with pytest.raises(ClientError) as caught:
        upload.put(2, b"eight")
    assert code(caught) == ("NoSuchUpload", 404)
    assert contents_kept() == 0


def test_an_upload_is_completed_once(upload: Upload) -> None:
    upload.put(1, b"seven")
    upload.complete()

    with pytest.raises(ClientError) as caught:
        upload.complete()

    assert code(caught) == ("NoSuchUpload", 404)


def test_an_upload_belongs_to_its_key(s3: "S3Client", upload: Upload) -> None:
    with pytest.raises(ClientError) as caught:
        s3.upload_part(**{**upload.about, "Key": "8"}, PartNumber=1, Body=b"")

    assert code(caught) == ("NoSuchUpload", 404)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([2, 1], "InvalidPartOrder"),
        ([1, 1], "InvalidPartOrder"),
        ([1, 2], "EntityTooSmall"),
        ([1, 4], "InvalidPart"),
    ],
)
def test_wrong_list_of_parts_is_rejected(
    upload: Upload, contents_kept: Callable[[], int], chosen: list[int], expected: str
) -> None:
    upload.put(1, b"seven")
    upload.put(2, b"eight")
    etags = {part["PartNumber"]: part["ETag"] for part in upload.parts}

    with pytest.raises(ClientError) as caught:
        upload.complete(*({"PartNumber": number, "ETag": etags.get(number, '"0"')} for number in chosen))

    assert code(caught) == (expected, 400)
    assert contents_kept() == 2


def test_wrong_etag_is_rejected(upload: Upload) -> None:
    upload.put(1, b"seven")

    with pytest.raises(ClientError) as caught:
        upload.complete({"PartNumber": 1, "ETag": '"0"'})

    assert code(caught) == ("InvalidPart", 400)


@pytest.mark.parametrize("number", [0, 10_001])
def test_part_number_out_of_range_is_rejected(upload: Upload, number: int) -> None:
    with pytest.raises(ClientError) as caught:
        upload.put(number, b"seven")

    assert code(caught) == ("InvalidArgument", 400)


def test_completion_can_be_conditional(s3: "S3Client", upload: Upload, contents_kept: Callable[[], int]) -> None:
    upload.put(1, b"seven")
    s3.put_object(Bucket="digits", Key="7", Body=b"7")

    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(MultipartUpload={"Parts": upload.parts}, IfNoneMatch="*", **upload.about)

    assert code(caught) == ("PreconditionFailed", 412)
    assert contents_kept() == 2


def test_a_part_can_be_copied(s3: "S3Client", upload: Upload) -> None:
    s3.put_object(Bucket="digits", Key="source", Body=b"six seven eight")
    source: Any = {"Bucket": "digits", "Key": "source"}
    copied = s3.upload_part_copy(PartNumber=1, CopySource=source, CopySourceRange="bytes=4-8", **upload.about)

    upload.complete({"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]})
    assert s3.get_object(Bucket="digits", Key="7")["Body"].read() == b"seven"


def test_parts_are_listed_in_pages(s3: "S3Client", upload: Upload) -> None:
    for number in (1, 2, 3):
        upload.put(number, b"seven")

    pages = s3.get_paginator("list_parts").paginate(**upload.about, PaginationConfig={"PageSize": 2})
    assert [[part["PartNumber"] for part in page["Parts"]] for page in pages] == [[1, 2], [3]]


def test_uploads_are_listed_in_pages(s3: "S3Client", upload: Upload) -> None:
    begun = {upload.about["UploadId"], s3.create_multipart_upload(Bucket="digits", Key="7")["UploadId"]}
    begun.add(s3.create_multipart_upload(Bucket="digits", Key="8 é")["UploadId"])

    paginator = s3.get_paginator("list_multipart_uploads")
    pages = list(paginator.paginate(Bucket="digits", PaginationConfig={"PageSize": 2}))
    listed = [item for page in pages for item in page["Uploads"]]
    assert [item["Key"] for item in listed] == ["7", "7", "8 é"]
    assert {item["UploadId"] for item in listed} == begun
