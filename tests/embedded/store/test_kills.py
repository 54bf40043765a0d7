"""A process that is killed at any step of a creation, a write or a backup leaves nothing in the way of the next."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.support.kills import kill_at_each_step

from mnist_tracking.embedded.collection import collect
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import OPERATIONS, Call
from mnist_tracking.embedded.store import Store, migrations
from mnist_tracking.embedded.store.backup import back_up
from mnist_tracking.embedded.store.objects import stored_contents

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")


def check(home: Path) -> int:
    """Check that a home is whole, and return how many contents it has."""
    store = Store(home)
    with store.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        contents = stored_contents(connection)
    for content in contents:
        assert hashlib.md5(store.blobs.path(content.blob).read_bytes()).hexdigest() == content.md5
    store.close()
    return len(contents)


def test_creation_is_completed_by_the_next(tmp_path: Path) -> None:
    kills = kill_at_each_step(
        lambda step: Store(tmp_path / str(step)).close(), lambda step: check(tmp_path / str(step)), stride=11
    )
    assert kills > 5


def test_update_of_an_old_home_is_completed_by_the_next(tmp_path: Path) -> None:
    """It keeps its contents."""
    script = resources.files(migrations).joinpath("0001_experiments.sql").read_text()
    connection = sqlite3.connect(tmp_path / "sagemaker.db")
    connection.executescript(f"{script}; INSERT INTO tags VALUES ('a', 'k', 'v'); PRAGMA user_version = 1;")
    connection.close()

    def is_old_or_whole(_step: int) -> None:
        connection = sqlite3.connect(tmp_path / "sagemaker.db")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.close()
        assert version == 1 or check(tmp_path) == 0

    assert kill_at_each_step(lambda _: Store(tmp_path).close(), is_old_or_whole, stride=11) > 5
    with Store(tmp_path).read() as connection:
        assert [row["arn"] for row in connection.execute("SELECT arn FROM tags")] == ["a"]


def _calls(engine: EmbeddedSageMaker) -> dict[str, Callable[[], object]]:
    """Each mutating operation of S3 on a prepared bucket, as the handlers see it: in this thread."""
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    for key in ("replaced", "deleted", "source"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"before")
    uploads = [s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"] for key in ("joined", "aborted")]
    for key, upload in zip(("joined", "aborted"), uploads, strict=True):
        s3.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": hashlib.md5(b"part").hexdigest()}]}
    joined, aborted = (
        {"Key": key, "UploadId": upload} for key, upload in zip(("joined", "aborted"), uploads, strict=True)
    )

    def call(operation: str, **params: Any) -> Callable[[], object]:
        context = attrs.evolve(engine._context, store=Store(engine.home))  # opened by the process that uses it
        return lambda: OPERATIONS["s3", operation](Call(context, "s3", operation, {"Bucket": "bucket", **params}))

    return {
        "put": call("PutObject", Key="new", Body=b"after"),
        "replace": call("PutObject", Key="replaced", Body=b"after"),
        "copy": call("CopyObject", Key="copy", CopySource="bucket/source"),
        "delete": call("DeleteObject", Key="deleted"),
        "part": call("UploadPart", **joined, PartNumber=2, Body=b"part"),
        "complete": call("CompleteMultipartUpload", **joined, MultipartUpload=parts),
        "abort": call("AbortMultipartUpload", **aborted),
    }


@pytest.mark.parametrize("operation", ["put", "replace", "copy", "delete", "part", "complete", "abort"])
def test_killed_call_leaves_whole_objects_and_no_orphan(engine: EmbeddedSageMaker, operation: str) -> None:
    """Every object has its content, and each content an object or a part, once orphans are collected."""
    call = _calls(engine)[operation]

    def act(_step: int) -> None:
        with contextlib.suppress(AwsFault):  # a process that was killed later has done it before
            call()

    def is_whole(_step: int) -> None:
        number = check(engine.home)
        collect(engine._context)
        assert sum(path.is_file() for path in (engine.home / "s3").rglob("*")) == number

    assert kill_at_each_step(act, is_whole, stride=7) > 5


def test_killed_backup_is_deleted_by_the_next(engine: EmbeddedSageMaker, tmp_path: Path) -> None:
    """A backup appears as a whole, or not at all."""
    s3, target = engine.session().client("s3"), tmp_path / "backups" / "copy"
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"content")
    engine.close()
    kills = kill_at_each_step(lambda _: back_up(Store(engine.home), target), lambda _: target.exists(), stride=11)
    collect(engine._context)

    assert kills > 10
    assert list(target.parent.iterdir()) == [target]
    assert not (engine.home / ".backup").exists()
    assert check(target) == check(engine.home) == 1
