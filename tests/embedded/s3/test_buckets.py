"""Buckets: codes as S3's API reference lists them under "Error responses"."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from tests.support.client_errors import code

from mnist_tracking.embedded.engine import EmbeddedSageMaker

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_a_new_bucket_is_listed(s3: "S3Client") -> None:
    s3.create_bucket(Bucket="another")

    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["another", "digits"]


def test_buckets_are_listed_by_prefix_and_in_pages(s3: "S3Client") -> None:
    for name in ("data-1", "data-2", "data-3"):
        s3.create_bucket(Bucket=name)

    pages = s3.get_paginator("list_buckets").paginate(Prefix="data-", PaginationConfig={"PageSize": 2})

    assert [[bucket["Name"] for bucket in page["Buckets"]] for page in pages] == [["data-1", "data-2"], ["data-3"]]


def test_existing_bucket_cannot_be_created_again(s3: "S3Client") -> None:
    with pytest.raises(s3.exceptions.BucketAlreadyOwnedByYou) as caught:
        s3.create_bucket(Bucket="digits")

    assert code(caught) == ("BucketAlreadyOwnedByYou", 409)


@pytest.mark.parametrize("name", ["Digits", "a..b", "10.0.0.1", "-digits", "digits_1", "xn--digits"])
def test_invalid_bucket_name_is_rejected(s3: "S3Client", name: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=name)

    assert code(caught) == ("InvalidBucketName", 400)


def test_head_of_a_missing_bucket_is_not_found(s3: "S3Client") -> None:
    with pytest.raises(ClientError) as caught:
        s3.head_bucket(Bucket="letters")

    assert code(caught) == ("404", 404)


def test_somebody_elses_bucket_is_forbidden(s3: "S3Client") -> None:
    with pytest.raises(ClientError) as head:
        s3.head_bucket(Bucket="digits", ExpectedBucketOwner="111122223333")
    with pytest.raises(ClientError) as listing:
        s3.list_objects_v2(Bucket="digits", ExpectedBucketOwner="111122223333")

    assert code(head) == ("403", 403)
    assert code(listing) == ("AccessDenied", 403)


def test_bucket_has_a_location(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path, region="eu-west-1")
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="digits", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    assert s3.get_bucket_location(Bucket="digits")["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket="digits")["BucketRegion"] == "eu-west-1"
    engine.close()


def test_bucket_in_another_region_is_rejected(s3: "S3Client") -> None:
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket="letters", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    assert code(caught) == ("IllegalLocationConstraintException", 400)


def test_the_default_region_has_no_location(s3: "S3Client") -> None:
    assert s3.get_bucket_location(Bucket="digits").get("LocationConstraint") is None


def test_bucket_with_objects_cannot_be_deleted(s3: "S3Client") -> None:
    s3.put_object(Bucket="digits", Key="7", Body=b"seven")

    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket="digits")

    assert code(caught) == ("BucketNotEmpty", 409)


def test_an_empty_bucket_is_deleted_with_its_unfinished_uploads(
    s3: "S3Client", contents_kept: Callable[[], int]
) -> None:
    upload = s3.create_multipart_upload(Bucket="digits", Key="7")
    s3.upload_part(Bucket="digits", Key="7", UploadId=upload["UploadId"], PartNumber=1, Body=b"seven")

    s3.delete_bucket(Bucket="digits")

    assert s3.list_buckets()["Buckets"] == []
    assert contents_kept() == 0


def test_write_to_a_missing_bucket_is_rejected(s3: "S3Client", contents_kept: Callable[[], int]) -> None:
    with pytest.raises(s3.exceptions.NoSuchBucket) as caught:
        s3.put_object(Bucket="letters", Key="a", Body=b"a")

    assert code(caught) == ("NoSuchBucket", 404)
    assert contents_kept() == 0
