"""A disk that is full for a while costs a job nothing, and one that a job has filled costs that job alone."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.processes import until
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking._values.files import is_locked
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.jobs.journal import Journal
from mnist_tracking.embedded.jobs.launcher import supervisor_lock
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.timing import EngineTiming

TIMING = EngineTiming(full_disk_poll_s=0.01, full_disk_s=0.1, output_poll_s=0.05, stop_grace_s=0.2)
FILLS = """
import os
def fill(path):
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True: file.write(bytes(size))
            except OSError: pass
"""
FILLS_AND_FAILS = f"{FILLS}\nfill(os.environ['SM_MODEL_DIR'] + '/model')\nraise SystemExit('no room')"
FILLS_AND_COMPLETES = f"{FILLS}\nfill(os.environ['SM_MODEL_DIR'] + '/model')"
FILLS_AND_WAITS = f"{FILLS}\nfill('filler')\nprint('full', flush=True)\nopen('filled', 'x')\n{WAITS}"
PRINTS_WHEN_FULL = """
import os, time
print("started", flush=True)
while not os.path.exists("full"): time.sleep(0.01)
for number in range(1000): print("line", number)
open("printed", "x").close()
while not os.path.exists("go"): time.sleep(0.01)
"""


def disk_is_full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


class FullStore:
    """A store whose disk is full for a number of writes."""

    def __init__(self, store: Store, failures: int) -> None:
        self._store, self.failures = store, failures

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        if self.failures:
            self.failures -= 1
            raise disk_is_full()
        with self._store.write() as connection:
            yield connection


@pytest.fixture
def job_id(account: TrainingAccount) -> int:
    """An ended job's row."""
    account.run()
    with account.engine.store.read() as connection:
        row = state.read_job(connection, "job")
    assert row is not None
    return int(row["id"])


def journal(account: TrainingAccount, job_id: int, failures: int) -> Journal:
    store = FullStore(account.engine.store, failures)
    return Journal(store, job_id, retry_s=0.0, check=lambda: None)  # type: ignore[arg-type]


def test_lines_wait_in_memory_for_room_and_keep_their_order(account: TrainingAccount, job_id: int) -> None:
    written = journal(account, job_id, failures=2)
    for line in ("one", "two"):
        written.record("job/algo-1-0", [(0.0, line)], [])
    before = account.log()
    written.record("job/algo-1-0", [(0.0, "three")], [])

    assert (before, account.log()) == ([], ["one", "two", "three"])


def test_status_waits_for_room_and_for_the_lines_before_it(account: TrainingAccount, job_id: int) -> None:
    written = journal(account, job_id, failures=3)
    written.record("job/algo-1-0", [(0.0, "one")], [])

    assert written.write(lambda connection, row: (state.is_stopping(connection, row), account.log())) == (
        False,
        ["one"],
    )


def test_other_errors_of_the_store_are_not_waited_for(account: TrainingAccount, job_id: int) -> None:
    with pytest.raises(sqlite3.OperationalError):
        journal(account, job_id, failures=0).write(
            lambda connection, _: connection.execute("INSERT INTO tags VALUES (0)")
        )


def test_a_read_does_not_fail_because_a_lost_job_cannot_be_ended(
    account: TrainingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are deleted nevertheless, so that there is room the next time."""
    account.submit(WAITS)
    account.follow()
    os.kill(account.supervisor(), signal.SIGKILL)
    until(lambda: not is_locked(supervisor_lock(account.engine.store, "job")))

    def fails(*_: object, **__: object) -> None:
        raise disk_is_full()

    with monkeypatch.context() as patched:
        patched.setattr(state, "end_job", fails)
        assert account.describe()["TrainingJobStatus"] == "InProgress"
        assert not (account.folder() / "ml").exists()
    assert account.describe()["TrainingJobStatus"] == "Failed"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[TrainingAccount]:
    """An account on a disk of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(disk)]
    if not sys.platform.startswith("linux") or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted")
    engine = EmbeddedSageMaker(disk / "home", timing=TIMING, disk_reserve_bytes=1 << 20)
    account = TrainingAccount(engine)
    yield account
    account.end_all()
    engine.close()
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("script", [FILLS_AND_FAILS, FILLS_AND_COMPLETES], ids=["fails", "completes"])
def test_a_job_that_fills_the_disk_fails_and_the_next_one_completes(small: TrainingAccount, script: str) -> None:
    job = small.run(script)

    assert job["TrainingJobStatus"] == "Failed"
    assert "disk full" in job["FailureReason"]
    assert small.run("print('trained')", "next")["TrainingJobStatus"] == "Completed"
    assert small.log("next") == ["trained"]


def test_a_source_archive_that_takes_the_reserve_fails_its_job(small: TrainingAccount) -> None:
    """Before it has filled anything."""
    small.send("print('trained')")
    engine = EmbeddedSageMaker(small.engine.home)  # which reserves more than the disk has
    engine.session().client("sagemaker").create_training_job(**json.loads(small.request()))

    assert "the source archive cannot be unpacked: disk full" in small.wait()["FailureReason"]
    engine.close()


def test_reads_go_on_while_a_job_has_filled_the_disk_and_a_kill_makes_room(small: TrainingAccount) -> None:
    small.submit(FILLS_AND_WAITS)
    supervisor = small.supervisor()
    until((small.ml() / "code" / "filled").exists)

    assert small.describe()["TrainingJobStatus"] == "InProgress"
    assert small.s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 1
    os.kill(supervisor, signal.SIGKILL)
    assert small.wait()["TrainingJobStatus"] == "Failed"
    assert small.run("print('trained')", "next")["TrainingJobStatus"] == "Completed"


def test_a_full_disk_costs_a_running_job_no_line(small: TrainingAccount) -> None:
    small.submit(PRINTS_WHEN_FULL)
    small.follow()
    filler = small.engine.home.parent / "filler"
    exec(f"{FILLS}\nfill({str(filler)!r})")
    code = small.ml() / "code"
    (code / "full").touch()
    until((code / "printed").exists)
    filler.unlink()
    (code / "go").touch()

    assert small.wait()["TrainingJobStatus"] == "Completed"
    assert small.log() == ["started", *(f"line {number}" for number in range(1000))]
