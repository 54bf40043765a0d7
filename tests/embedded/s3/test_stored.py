"""The objects as supervisors see them, without botocore."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store.contents import ContentError
from mnist_tracking.embedded.store.objects import (
    ensure_bucket,
    get_object,
    has_bucket,
    list_objects,
    open_object,
    put_object,
)
from mnist_tracking.errors import NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_both_sides_see_the_same_objects(engine: EmbeddedSageMaker, s3: "S3Client") -> None:
    put_object(engine.store, "digits", "model/a", b"six", 0.0, headers={"ContentType": "text/plain"})
    s3.put_object(Bucket="digits", Key="model/b", Body=b"seven")

    assert s3.get_object(Bucket="digits", Key="model/a")["ContentType"] == "text/plain"
    found = list_objects(engine.store, "digits", "model/")
    assert [(item.key, item.path.read_bytes(), item.size) for item in found] == [
        ("model/a", b"six", 3),
        ("model/b", b"seven", 5),
    ]


def test_listing_continues_after_a_key(engine: EmbeddedSageMaker, s3: "S3Client") -> None:
    for key in ("a", "b/1", "b/2", "b/3", "c"):
        put_object(engine.store, "digits", key, b"", 0.0)

    assert [item.key for item in list_objects(engine.store, "digits", "b/", after="b/1", limit=1)] == ["b/2"]
    assert [item.key for item in list_objects(engine.store, "digits", "b/", after="a")] == ["b/1", "b/2", "b/3"]


def test_missing_object_is_none(engine: EmbeddedSageMaker, s3: "S3Client") -> None:
    assert get_object(engine.store, "digits", "7") is None
    assert open_object(engine.store, "letters", "7") is None
    assert not has_bucket(engine.store, "letters")


def test_a_bucket_is_ensured_twice(engine: EmbeddedSageMaker) -> None:
    ensure_bucket(engine.store, "letters", 0.0)
    ensure_bucket(engine.store, "letters", 1.0)

    assert has_bucket(engine.store, "letters")


def test_content_for_a_missing_bucket_is_deleted(engine: EmbeddedSageMaker, contents_kept: Callable[[], int]) -> None:
    with pytest.raises(NotFoundError, match="No bucket named 'letters'"):
        put_object(engine.store, "letters", "7", b"seven", 0.0)

    assert contents_kept() == 0


def test_a_lost_content_is_an_error_not_a_wait(engine: EmbeddedSageMaker, s3: "S3Client") -> None:
    put_object(engine.store, "digits", "7", b"seven", 0.0).path.unlink()

    with pytest.raises(ContentError, match="is missing"):
        open_object(engine.store, "digits", "7")
