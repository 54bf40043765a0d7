"""S3: contents, listings and multipart uploads, through boto3's own transfer manager."""

from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_tracking.embedded.engine import EmbeddedSageMaker

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=40)


def test_large_file_is_uploaded_in_parts(engine: EmbeddedSageMaker, tmp_path: Path) -> None:
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    (tmp_path / "up").write_bytes(bytes(range(256)) * 70_000)
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)

    s3.upload_file(str(tmp_path / "up"), "bucket", "large", Config=config)
    s3.download_file("bucket", "large", str(tmp_path / "down"), Config=config)

    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()
    assert s3.head_object(Bucket="bucket", Key="large")["ETag"].endswith('-4"')


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(key=KEYS)
def test_no_key_leaves_the_home(engine: EmbeddedSageMaker, key: str) -> None:
    s3 = engine.session().client("s3")
    if not s3.list_buckets()["Buckets"]:
        s3.create_bucket(Bucket="bucket")
    outside = set(engine.home.parent.iterdir())

    s3.put_object(Bucket="bucket", Key=key, Body=key.encode())

    assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == key.encode()
    assert key in [item["Key"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]]
    assert set(engine.home.parent.iterdir()) == outside
    s3.delete_object(Bucket="bucket", Key=key)


def test_listings_are_grouped_by_a_delimiter_across_pages(engine: EmbeddedSageMaker) -> None:
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    for key in ("a/1", "a/2", "b", "c/1", "d"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"")

    pages = list(
        s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Delimiter="/", PaginationConfig={"PageSize": 2})
    )

    assert [item["Key"] for page in pages for item in page.get("Contents", [])] == ["b", "d"]
    assert [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])] == ["a/", "c/"]


@pytest.mark.parametrize(("bucket", "key", "code"), [("nowhere", "k", "NoSuchBucket"), ("bucket", "k", "NoSuchKey")])
def test_missing_object_has_its_error_code(engine: EmbeddedSageMaker, bucket: str, key: str, code: str) -> None:
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")

    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key=key)

    assert caught.value.response["Error"]["Code"] == code


def test_reader_of_an_overwritten_object_gets_all_of_the_old_content(engine: EmbeddedSageMaker) -> None:
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"old")
    body = s3.get_object(Bucket="bucket", Key="k")["Body"]

    s3.put_object(Bucket="bucket", Key="k", Body=b"new")

    assert body.read() == b"old"
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"new"
