"""What killed programs left behind is deleted when a home is opened; what may still be used, or is not ours, is not."""

import io
import os
import sqlite3
from pathlib import Path

import pytest

from mnist_tracking._values.files import hold_lock
from mnist_tracking.embedded.collection import collect
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store.objects import put_object
from mnist_tracking.embedded.timing import EngineTiming

HEX = "0123456789abcdef0123456789abcdef"
ADD_LINE = "INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)"
AT_ONCE = EngineTiming(collection_interval_s=0.0)


def make(path: Path, content: bytes = b"x") -> Path:
    """Create a file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def reopen(engine: EmbeddedSageMaker) -> None:
    """Open the home once more; this collects."""
    EmbeddedSageMaker(engine.home, timing=AT_ONCE).close()


def test_contents_without_an_object_are_deleted(engine: EmbeddedSageMaker) -> None:
    """Complete ones and drafts. Objects, and files that are not named like contents, are kept."""
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"content")
    kept = [path for path in (engine.home / "s3").rglob("*") if path.is_file()]
    kept += [make(engine.home / "s3" / name) for name in ("notes.txt", "01/notes.txt", f"01/{HEX}.bak")]
    for name in (HEX, f".{HEX}.{HEX}.part"):
        make(engine.home / "s3" / "01" / name)
    reopen(engine)

    assert {path for path in (engine.home / "s3").rglob("*") if path.is_file()} == set(kept)
    assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"content"


def test_content_that_is_being_stored_is_kept(engine: EmbeddedSageMaker) -> None:
    """However long it takes: while any process stores one, none is deleted."""
    engine.session().client("s3").create_bucket(Bucket="bucket")

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reopen(engine)
            return super().read(size)

    with engine.store.blobs.added(b"not yet committed") as blob:
        reopen(engine)
        assert engine.store.blobs.path(blob.name).read_bytes() == b"not yet committed"
    stored = put_object(engine.store, "bucket", "key", Slow(b"content"), 0.0)
    assert stored.path.read_bytes() == b"content"
    reopen(engine)
    assert not engine.store.blobs.path(blob.name).exists()
    assert stored.path.exists()


def test_abandoned_uploads_are_deleted_after_a_week(tmp_path: Path) -> None:
    """With their parts; younger ones are kept."""
    now = [0.0]
    engine = EmbeddedSageMaker(tmp_path / "home", clock=lambda: now[0], timing=AT_ONCE)
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    for key in ("old", "young"):
        upload = s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"]
        s3.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=1, Body=key.encode())
        now[0] += 4 * 86_400
    collect(engine._context)

    assert [item["Key"] for item in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]] == ["young"]
    assert [path.read_bytes() for path in (engine.home / "s3").rglob("*") if path.is_file()] == [b"young"]
    engine.close()


def test_folders_without_a_job_or_endpoint_are_deleted(engine: EmbeddedSageMaker) -> None:
    """Those of a job that is being created, and those that this library did not make, are kept."""
    for kind in ("jobs", "endpoints"):
        lost = engine.home / kind / (f"lost.{HEX}" if kind == "endpoints" else "lost")
        make(lost / "supervisor.lock")
        make(lost / "ml" / "model" / "weights")
        make(engine.home / kind / "mine" / "notes.txt")
    with hold_lock(engine.home / "jobs" / "starting" / "supervisor.lock"):
        reopen(engine)
        found = {path.relative_to(engine.home).as_posix() for path in engine.home.glob("[je]*/*")}

    assert found == {"jobs/mine", "endpoints/mine", "jobs/starting"}


def test_folders_nested_very_deeply_are_deleted(engine: EmbeddedSageMaker) -> None:
    """They do not keep the home from opening."""
    lock = make(engine.home / "jobs" / "lost" / "supervisor.lock")
    here = os.open(".", os.O_RDONLY)
    os.chdir(lock.parent)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    os.fchdir(here)
    os.close(here)
    reopen(engine)

    assert not list((engine.home / "jobs").iterdir())


def test_what_a_link_in_place_of_a_job_points_to_is_kept(engine: EmbeddedSageMaker, tmp_path: Path) -> None:
    kept = make(tmp_path / "target" / "ml" / "private")
    (engine.home / "jobs").mkdir()
    (engine.home / "jobs" / "ended").symlink_to(tmp_path / "target")
    with engine.store.write() as connection:
        connection.execute(
            "INSERT INTO training_jobs (name, arn, request, python, status, secondary_status, created, modified) "
            "VALUES ('ended', 'arn', '{}', 'python', 'Failed', 'Failed', 0, 0)"
        )
    reopen(engine)

    assert kept.exists()


def test_log_lines_of_deleted_endpoints_are_deleted_after_a_month(tmp_path: Path) -> None:
    """As are those of jobs that do not exist."""
    engine = EmbeddedSageMaker(tmp_path / "home", clock=lambda: 40.0 * 86_400, timing=AT_ONCE)
    lines = [
        (group, stream, day * 86_400.0, "line")
        for group, stream in (
            ("/aws/sagemaker/TrainingJobs", "gone/algo-1-0"),
            ("/aws/sagemaker/TrainingJobs", "job/algo-1-0"),
            ("/aws/sagemaker/Endpoints/gone", "AllTraffic/i-0"),
            ("/aws/sagemaker/Endpoints/there", "AllTraffic/i-0"),
        )
        for day in (5, 20)
    ]
    with engine.store.write() as connection:
        connection.execute(
            "INSERT INTO training_jobs (name, arn, request, python, status, secondary_status, created, modified) "
            "VALUES ('job', 'a', '{}', '', 'Completed', '', 0, 0)"
        )
        connection.execute(
            "INSERT INTO endpoints (name, arn, folder, config_name, status, created, modified) "
            "VALUES ('there', 'a', 'there.0', 'c', 'Failed', 0, 0)"
        )
        connection.executemany(ADD_LINE, lines)
    collect(engine._context)

    with engine.store.read() as connection:
        found = [tuple(row)[1:] for row in connection.execute("SELECT * FROM log_events ORDER BY id")]
    assert found == [line for line in lines if line[2] > 10 * 86_400 or "gone" not in line[0] + line[1]]
    engine.close()


@pytest.mark.parametrize("auto_vacuum", ["INCREMENTAL", "NONE"])
def test_database_shrinks(tmp_path: Path, auto_vacuum: str) -> None:
    """Also one that an older version has created, which could not."""
    engine = EmbeddedSageMaker(tmp_path / "home")
    connection = sqlite3.connect(engine.store.path)
    connection.execute(f"PRAGMA auto_vacuum = {auto_vacuum}")
    connection.execute("VACUUM")
    connection.close()
    lines = [("a", "b", 0.0, "line" * 1000) for _ in range(2000)]
    with engine.store.write() as connection:
        connection.executemany(ADD_LINE, lines)
    with engine.store.write() as connection:
        connection.execute("DELETE FROM log_events")
    engine.close()
    before = engine.store.path.stat().st_size
    reopen(engine)

    assert before > 8_000_000
    assert engine.store.path.stat().st_size < 1_000_000


def test_homes_are_collected_once_an_hour(engine: EmbeddedSageMaker) -> None:
    """So that opening one, as each command does, costs nothing."""
    orphan, stamp = make(engine.home / "s3" / "01" / HEX), engine.home / "locks" / "collection"
    EmbeddedSageMaker(engine.home).close()
    assert orphan.exists()

    os.utime(stamp, (stamp.stat().st_mtime - 3601,) * 2)
    EmbeddedSageMaker(engine.home).close()
    assert not orphan.exists()


def test_collection_that_fails_does_not_keep_a_home_from_opening(
    engine: EmbeddedSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("mnist_tracking.embedded.collection.collect", fail)
    reopen(engine)
