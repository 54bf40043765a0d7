"""Checkpoints are copied from S3, and to S3 while the job runs and when it ends."""

import os
import signal
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.support.processes import until
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs.checkpoints import Checkpoints, UnsendableError
from mnist_tracking.embedded.store.blobs import Blob
from mnist_tracking.embedded.store.objects import get_object
from mnist_tracking.embedded.timing import EngineTiming
from mnist_tracking.errors import UnsupportedOperationError

CONFIG = {"S3Uri": "s3://bucket/checkpoints"}
FOLDER = """
import os, signal, sys
from pathlib import Path
from typing import BinaryIO
folder = Path(os.environ["SM_MODEL_DIR"]).parent / "checkpoints"
"""
TWO = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}


def has(account: TrainingAccount, key: str, content: bytes) -> bool:
    store = account.engine.store
    found = get_object(store, "bucket", key)
    return found is not None and found.path.read_bytes() == content


def test_checkpoints_are_copied_from_s3_and_back(account: TrainingAccount) -> None:
    account.put("checkpoints/epoch", "1")
    account.run(f"{FOLDER}path = folder / 'epoch'\npath.write_text(path.read_text() + '2')", CheckpointConfig=CONFIG)

    assert account.get("checkpoints/epoch") == b"12"


@pytest.mark.parametrize("timing", [EngineTiming(checkpoint_interval_s=0.05)])
def test_checkpoints_are_sent_while_the_job_runs(account: TrainingAccount) -> None:
    """From all hosts, so that a killed supervisor loses only the most recent changes."""
    host = "host = os.environ['SM_CURRENT_HOST']\n(folder / 'deep').mkdir()\n"
    script = f"{FOLDER}{host}(folder / 'deep' / host).write_text(host)\n{WAITS}"
    account.submit(script, CheckpointConfig=CONFIG, ResourceConfig=TWO)
    for host in ("algo-1", "algo-2"):
        until(lambda: has(account, f"checkpoints/deep/{host}", host.encode()))  # noqa: B023 - called at once
    assert account.describe()["TrainingJobStatus"] == "InProgress"
    os.kill(account.supervisor(), signal.SIGKILL)

    assert account.wait()["TrainingJobStatus"] == "Failed"
    assert account.get("checkpoints/deep/algo-2") == b"algo-2"


@pytest.mark.parametrize("timing", [EngineTiming(checkpoint_interval_s=3600.0)])
def test_last_checkpoint_is_sent_when_the_script_is_killed(account: TrainingAccount) -> None:
    account.submit(f"{FOLDER}(folder / 'epoch').write_text('1')\n{WAITS}", CheckpointConfig=CONFIG)
    account.follow()
    account.signal_script(signal.SIGKILL)

    assert account.wait()["TrainingJobStatus"] == "Failed"
    assert account.get("checkpoints/epoch") == b"1"


@pytest.mark.parametrize("timing", [EngineTiming(checkpoint_interval_s=3600.0, sigterm=True, stop_grace_s=3600.0)])
def test_checkpoint_written_on_sigterm_is_sent(account: TrainingAccount) -> None:
    saves = "signal.signal(signal.SIGTERM, lambda *_: sys.exit((folder / 'epoch').write_text('1') and 0))"
    account.submit(f"{FOLDER}{saves}\n{WAITS}", CheckpointConfig=CONFIG)
    account.follow()
    account.stop()

    assert account.wait()["TrainingJobStatus"] == "Stopped"
    assert account.get("checkpoints/epoch") == b"1"


def test_checkpoints_are_in_the_requested_folder(account: TrainingAccount) -> None:
    script = "import os\nopen(os.environ['SM_MODEL_DIR'] + '/../mine/here/epoch', 'w').write('1')"
    account.run(script, CheckpointConfig={**CONFIG, "LocalPath": "/opt/ml/mine/here/"})

    assert account.get("checkpoints/epoch") == b"1"


@pytest.mark.parametrize("path", ["/tmp/checkpoints", "/opt/ml", "/opt/ml/../x", "checkpoints"])
def test_checkpoint_folder_outside_opt_ml_is_rejected(account: TrainingAccount, path: str) -> None:
    with pytest.raises(UnsupportedOperationError, match=r".supported: folders below /opt/ml"):
        account.submit(CheckpointConfig={**CONFIG, "LocalPath": path})


def test_failed_download_of_checkpoints_is_the_failure_reason(account: TrainingAccount) -> None:
    account.put("checkpoints/../../epoch")

    reason = account.run(CheckpointConfig=CONFIG)["FailureReason"]
    assert reason.startswith("ClientError: Data download failed: s3://bucket/checkpoints/: The key 'checkpoints/../..")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of checkpoints."""
    path = tmp_path / "checkpoints"
    path.mkdir()
    return path


@pytest.fixture
def bucket(engine: EmbeddedSageMaker) -> EmbeddedSageMaker:
    """An engine with a bucket."""
    engine.session().client("s3").create_bucket(Bucket="bucket")
    return engine


def content(engine: EmbeddedSageMaker, name: str) -> Path:
    found = get_object(engine.store, "bucket", f"checkpoints/{name}")
    assert found is not None
    return found.path


def test_only_changed_checkpoints_are_sent(bucket: EmbeddedSageMaker, folder: Path) -> None:
    """Including the downloaded ones; nothing is deleted."""
    checkpoints = Checkpoints(bucket.store, CONFIG["S3Uri"], [folder], warn=pytest.fail)
    for name in ("a", "b"):
        (folder / name).write_text("1")
    checkpoints.send()
    before = content(bucket, "a"), content(bucket, "b")
    (folder / "part").write_text("2")
    (folder / "part").rename(folder / "b")
    (folder / "a").unlink()
    again = Checkpoints(bucket.store, CONFIG["S3Uri"], [folder], warn=pytest.fail)
    again.fetch()
    (folder / "b").write_text("3")
    again.send()

    assert content(bucket, "a") == before[0]
    assert content(bucket, "b") != before[1]
    assert content(bucket, "b").read_text() == "3"


def test_checkpoints_can_have_any_name(bucket: EmbeddedSageMaker, folder: Path, tmp_path: Path) -> None:
    """Objects next to the prefix are not copied."""
    names = ["why?1", "why?2", "a#1", "50%2F", "b\nc", "\u00fc", "n" * 255]
    for name in names:
        (folder / name).write_text(name)
    Checkpoints(bucket.store, CONFIG["S3Uri"], [folder], warn=pytest.fail).send()
    bucket.session().client("s3").put_object(Bucket="bucket", Key="checkpoints-2/epoch")
    other = tmp_path / "other"
    Checkpoints(bucket.store, CONFIG["S3Uri"], [other], warn=pytest.fail).fetch()

    assert {path.name: path.read_text() for path in other.iterdir()} == {name: name for name in names}


def test_unsendable_checkpoint_does_not_block_others(bucket: EmbeddedSageMaker, folder: Path) -> None:
    told: list[str] = []
    (folder / os.fsdecode(b"a\xff")).write_text("1")
    (folder / "b").write_text("2")
    checkpoints = Checkpoints(bucket.store, CONFIG["S3Uri"], [folder], warn=told.append)
    with checkpoints.sent_every(0.001):
        until(lambda: told)
        (folder / "c").write_text("3")
        until(lambda: get_object(bucket.store, "bucket", "checkpoints/c"))

    assert content(bucket, "b").read_text() == "2"
    assert len(told) == 1
    with pytest.raises(UnsendableError, match=r"^'a\\udcff': 'utf-8' codec can't encode"):
        checkpoints.send()


def test_checkpoint_that_changes_while_it_is_read_is_sent_the_next_time(
    bucket: EmbeddedSageMaker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 never holds a mixture of two checkpoints."""
    path = folder / "epoch"
    path.write_text("1" * 10)
    checkpoints = Checkpoints(bucket.store, CONFIG["S3Uri"], [folder], warn=pytest.fail)
    put = bucket.store.blobs.put

    def put_slowly(body: BinaryIO) -> Blob:
        blob = put(body)
        path.write_text("2" * 20)
        return blob

    with monkeypatch.context() as patched:
        patched.setattr(bucket.store.blobs, "put", put_slowly)
        checkpoints.send()

    assert get_object(bucket.store, "bucket", "checkpoints/epoch") is None
    checkpoints.send()
    assert content(bucket, "epoch").read_text() == "2" * 20
    assert len([path for path in (bucket.home / "s3").rglob("*") if path.is_file()]) == 1


def test_failed_upload_of_checkpoints_is_logged_once_and_retried(engine: EmbeddedSageMaker, folder: Path) -> None:
    told: list[str] = []
    (folder / "epoch").write_text("1")
    checkpoints = Checkpoints(engine.store, CONFIG["S3Uri"], [folder], warn=told.append)
    with checkpoints.sent_every(0.001):
        until(lambda: told)
        engine.session().client("s3").create_bucket(Bucket="bucket")
        until(lambda: get_object(engine.store, "bucket", "checkpoints/epoch"))

    assert len(told) == 1
    assert told[0].startswith("The checkpoints could not be sent to S3 and will be sent again: ")
