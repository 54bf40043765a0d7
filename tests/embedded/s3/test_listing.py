"""Listings: order, common prefixes and pages; all pages together are the same as a single one."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.client_errors import code

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store.objects import put_object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def fill(s3: "S3Client", *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket="digits", Key=key, Body=b"")


def names(page: Any) -> list[str]:
    return [item["Key"] for item in page.get("Contents", ())]


def folders(page: Any) -> list[str]:
    return [item["Prefix"] for item in page.get("CommonPrefixes", ())]


def test_keys_come_in_order_of_their_bytes(s3: "S3Client") -> None:
    """A character beyond the basic multilingual plane sorts after all others, unlike in UTF-16."""
    fill(s3, "é", "\U0001f600", "\uffee", "z", "Z", "a/b", "a-b", "a")

    assert names(s3.list_objects_v2(Bucket="digits")) == ["Z", "a", "a-b", "a/b", "z", "é", "\uffee", "\U0001f600"]


def test_entry_has_size_time_and_etag(s3: "S3Client") -> None:
    put = s3.put_object(Bucket="digits", Key="7", Body=b"seven")

    page = s3.list_objects_v2(Bucket="digits")
    entry = page["Contents"][0]
    assert (entry["Size"], entry["ETag"], entry["StorageClass"]) == (5, put["ETag"], "STANDARD")
    assert (page["KeyCount"], page["IsTruncated"], page["Name"], page["MaxKeys"]) == (1, False, "digits", 1000)


def test_an_empty_listing_has_no_contents(s3: "S3Client") -> None:
    page = s3.list_objects_v2(Bucket="digits", Prefix="none")

    assert ("Contents" in page, page["KeyCount"]) == (False, 0)


def test_a_prefix_is_taken_literally(s3: "S3Client") -> None:
    fill(s3, "a%b", "a_b", "axb", "a%c", "A%b", "a*", "a[b]")

    assert names(s3.list_objects_v2(Bucket="digits", Prefix="a%")) == ["a%b", "a%c"]
    assert names(s3.list_objects_v2(Bucket="digits", Prefix="a_")) == ["a_b"]
    assert names(s3.list_objects_v2(Bucket="digits", Prefix="a*")) == ["a*"]


def test_delimiter_groups_deeper_keys(s3: "S3Client") -> None:
    fill(s3, "data/", "data/test/a", "data/train/a", "data/train/b", "data/x", "other")

    page = s3.list_objects_v2(Bucket="digits", Prefix="data/", Delimiter="/")
    assert names(page) == ["data/", "data/x"]
    assert folders(page) == ["data/test/", "data/train/"]
    assert (page["KeyCount"], page["Delimiter"]) == (4, "/")


def test_start_after_continues_after_a_key(s3: "S3Client") -> None:
    fill(s3, "a", "b", "b1", "c")

    assert names(s3.list_objects_v2(Bucket="digits", StartAfter="b")) == ["b1", "c"]
    assert names(s3.list_objects(Bucket="digits", Marker="b")) == ["b1", "c"]


def test_max_keys_can_be_zero(s3: "S3Client") -> None:
    """With MaxKeys 0, a truncated listing would never end."""
    fill(s3, "a")

    page = s3.list_objects_v2(Bucket="digits", MaxKeys=0)
    assert (names(page), page["IsTruncated"]) == ([], False)


def test_older_listing_has_a_marker_only_with_a_delimiter(s3: "S3Client") -> None:
    fill(s3, "a/1", "a/2", "b")

    folded = s3.list_objects(Bucket="digits", Delimiter="/", MaxKeys=1)
    assert (folders(folded), folded["NextMarker"]) == (["a/"], "a/")
    assert names(s3.list_objects(Bucket="digits", Delimiter="/", Marker=folded["NextMarker"])) == ["b"]
    assert "NextMarker" not in s3.list_objects(Bucket="digits", MaxKeys=1)


def test_names_are_encoded_only_on_request(s3: "S3Client") -> None:
    """botocore requests and decodes it by itself; a caller who requests it gets the encoded names."""
    fill(s3, "a b/é+%")

    raw = s3.list_objects_v2(Bucket="digits", EncodingType="url", Prefix="a ", Delimiter="/")
    assert (folders(raw), raw["Prefix"], raw["EncodingType"]) == (["a%20b/"], "a%20", "url")
    assert names(s3.list_objects_v2(Bucket="digits", Prefix="a ")) == ["a b/é+%"]
    assert s3.list_objects_v2(Bucket="digits", Prefix="a ")["Prefix"] == "a "


@pytest.mark.parametrize("token", ["%%%", "gA=="])
def test_invalid_token_is_rejected(s3: "S3Client", token: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.list_objects_v2(Bucket="digits", ContinuationToken=token)

    assert code(caught) == ("InvalidArgument", 400)


def test_a_thousand_keys_are_a_page(s3: "S3Client", engine: EmbeddedSageMaker) -> None:
    with engine.store.write():
        for number in range(1001):
            put_object(engine.store, "digits", f"{number:04}", b"", 0.0)

    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="digits"))
    assert [page["KeyCount"] for page in pages] == [1000, 1]


SHORT = st.text(st.sampled_from(["a", "b", "/", "\U0010ffff", "\ud7ff", "\0", "é"]), max_size=4)


def naive(keys: set[str], prefix: str, delimiter: str) -> list[str]:
    """The expected listing, computed in plain Python."""
    shown = set()
    for key in keys:
        if key.startswith(prefix):
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            shown.add(prefix + head + found if found else key)
    return sorted(shown)


@given(
    keys=st.sets(SHORT.filter(bool), max_size=12),
    prefix=SHORT,
    delimiter=st.sampled_from(["", "/", "a/"]),
    size=st.integers(1, 4),
)
@example(keys={"\U0010ffff/a", "\U0010ffff/b", "\U0010ffff"}, prefix="", delimiter="\U0010ffff", size=1)
@example(keys={"\ud7ff/", "\ue000"}, prefix="\ud7ff", delimiter="", size=1)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_pages_together_are_the_whole_listing(
    s3: "S3Client", operation: Any, keys: set[str], prefix: str, delimiter: str, size: int
) -> None:
    for old in s3.list_objects_v2(Bucket="digits").get("Contents", ()):
        s3.delete_object(Bucket="digits", Key=old["Key"])
    fill(s3, *keys)

    asked: Any = {"Bucket": "digits", "Prefix": prefix, "PaginationConfig": {"PageSize": size}}
    pages = list(s3.get_paginator(operation).paginate(**asked, **({"Delimiter": delimiter} if delimiter else {})))
    shown = [sorted(names(page) + folders(page)) for page in pages]
    assert [key for page in shown for key in page] == naive(keys, prefix, delimiter)
    assert all(len(page) == size for page in shown[:-1])
