"""Whatever a script leaves where a file is expected, prints or sends itself: its job ends, and says how."""

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking.embedded.disk import delete_all, json_files, open_regular
from mnist_tracking.embedded.jobs.ending import EndedEarly, Ending
from mnist_tracking.embedded.lines import lines_of
from mnist_tracking.embedded.timing import EngineTiming

PLACES = """
import os, shutil
from pathlib import Path
updates, metrics = Path(os.environ["MNIST_TRACKING_UPDATES"]), Path(os.environ["SAGEMAKER_METRICS_DIRECTORY"])
model, output = Path(os.environ["SM_MODEL_DIR"]), Path(os.environ["SM_OUTPUT_DATA_DIR"])
checkpoints = model.parent / "checkpoints"
checkpoints.mkdir(exist_ok=True)
def make_fifo(path): os.mkfifo(path)
def make_folder(path): path.mkdir()
def make_device(path): os.symlink("/dev/zero", path)
def make_dangling(path): os.symlink("nowhere", path)
def make_loop(path): os.symlink(path, path)
def make_socket(path):
    import socket
    os.chdir(path.parent)
    socket.socket(socket.AF_UNIX).bind(path.name)
"""
KINDS = ("fifo", "folder", "device", "dangling", "loop", "socket")
IN_FOLDERS = "for place in (updates, metrics, model, output, checkpoints): make(place / 'x.json')"
INSTEAD = "for place in (updates, metrics, model, output, checkpoints, output.parent / 'failure'):\n" + (
    "    shutil.rmtree(place, ignore_errors=True)\n    make(place)"
)
CHECKPOINTS = {"S3Uri": "s3://bucket/checkpoints"}
WRITES_TO_DESCRIPTORS = """
import os
for descriptor in range(3, 256):
    try: os.write(descriptor, b"nonsense")
    except OSError: pass
    try: os.close(descriptor)
    except OSError: pass
print("trained")
"""
NESTS = """
import os
for _ in range(1200):
    os.mkdir("x")
    os.chdir("x")
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", [IN_FOLDERS, INSTEAD], ids=["in-folders", "instead"])
def test_what_is_no_file_is_left_out(account: TrainingAccount, where: str, kind: str) -> None:
    script = f"{PLACES}\nmake = make_{kind}\n{where}\nprint('made', flush=True)"
    job = account.run(script, CheckpointConfig=CHECKPOINTS)

    said = [line for line in account.log()[1:] if "so it is" in line or "so nothing" in line]

    assert (job["TrainingJobStatus"], job.get("FailureReason")) == ("Completed", None)
    assert account.log()[0] == "made"
    assert bool(said) == (kind != "folder")


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    opened = {name: open_regular(tmp_path / name) for name in ("file", "link", "fifo", ".", "gone")}

    read = {name: stream.read() for name, stream in opened.items() if stream}
    followed = open_regular(tmp_path / "link", follow_links=True)
    for stream in filter(None, [*opened.values(), followed]):
        stream.close()
    assert read == {"file": b"content"}
    assert followed is not None


def test_a_link_to_a_folder_has_no_files(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.json").touch()
    (tmp_path / "link").symlink_to("there")

    assert json_files(tmp_path / "link") == []
    assert json_files(tmp_path / "there") == [tmp_path / "there" / "a.json"]


def test_script_that_writes_to_every_descriptor_harms_nobody(account: TrainingAccount) -> None:
    job = account.run(WRITES_TO_DESCRIPTORS)

    assert job["TrainingJobStatus"] == "Completed"
    assert account.log() == ["trained"]


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="only Linux has real-time signals")
def test_death_by_a_signal_without_a_name_is_a_reason(account: TrainingAccount) -> None:
    job = account.run("import os\nos.kill(os.getpid(), 45)")

    assert "ExitCode -45 (killed by signal 45)" in job["FailureReason"]


def test_folders_nested_very_deeply_are_deleted(account: TrainingAccount) -> None:
    job = account.run(NESTS)

    assert job["TrainingJobStatus"] == "Completed"
    assert not (account.folder() / "ml").exists()


def test_folder_without_permissions_is_deleted(tmp_path: Path) -> None:
    closed = tmp_path / "all" / "closed"
    (closed / "inner").mkdir(parents=True)
    closed.chmod(0)
    delete_all(tmp_path / "all", tmp_path)

    assert not (tmp_path / "all").exists()


FOLDERS = {
    "model": "model",
    "output": "output",
    "data": "output/data",
    "checkpoints": "checkpoints",
    "updates": "updates",
    "metrics": "output/metrics/sagemaker",
    "host": ".",
    "all": "..",
    "job": "../..",
}


@pytest.mark.parametrize("path", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_replaced_by_a_link_leads_nowhere(account: TrainingAccount, tmp_path: Path, path: str) -> None:
    """Nothing that the link points to is packed, sent, changed or deleted."""
    target = tmp_path / "target"
    for folder in ("ml", "algo-1/model", "model", "data", "updates"):
        (target / folder).mkdir(parents=True)
        (target / folder / "private.json").write_text("private")
        (target / folder / "private.json").chmod(0o400)
    before = sorted((each, each.lstat().st_mode) for each in target.rglob("*"))
    where = f"os.path.normpath(ml / {path!r})"
    account.run(
        "import os, pathlib\nml = pathlib.Path(os.environ['SM_MODEL_DIR']).parent\n"
        f"path = {where}\nos.rename(path, path + '-moved')\nos.symlink({str(target)!r}, path)",
        CheckpointConfig={"S3Uri": "s3://bucket/checkpoints"},
    )

    assert sorted((each, each.lstat().st_mode) for each in target.rglob("*")) == before
    keys = [each["Key"] for each in account.s3.list_objects_v2(Bucket="bucket")["Contents"]]
    assert not [key for key in keys if "private" in key]
    assert not [name for key in keys if key.endswith(".gz") for name in account.members(key) if "private" in name]


def lines(printed: bytes) -> list[str]:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(printed)

    writer = threading.Thread(target=write)
    writer.start()
    found = list(itertools.chain.from_iterable(lines_of(reading, lambda: False, poll_s=1.0)))
    writer.join()
    os.close(reading)
    return found


LIMIT = 1 << 18


@pytest.mark.parametrize("before", range(LIMIT - 4, LIMIT + 2))
@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_a_cut_splits_no_character(before: int, character: str) -> None:
    text = "x" * before + character * 3
    found = lines(text.encode())

    assert "".join(found) == text
    assert all(len(line.encode()) <= LIMIT for line in found)


@pytest.mark.parametrize("before", range(LIMIT - 20, LIMIT + 2))
def test_a_cut_splits_no_number(before: int) -> None:
    text = " " * before + "loss=-1.25e-05;"
    found = lines(text.encode())

    assert "".join(found) == text
    assert any("-1.25e-05" in line for line in found)


def test_a_line_of_50_megabytes_is_read_in_pieces(account: TrainingAccount) -> None:
    account.run("print('0.5 ' * 12_500_000, end='')\nprint('end')")

    assert sum(map(len, account.log())) == 50_000_003


def test_a_word_of_50_megabytes_is_read_in_pieces(account: TrainingAccount) -> None:
    """Looking for a place to split it costs what a piece weighs, not its square."""
    account.run("print('x' * 50_000_000)")

    assert sum(map(len, account.log())) == 50_000_000


@pytest.fixture
def handlers() -> Iterator[None]:
    """Restore the handlers of signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


def wait_in_block(ending: Ending, do: Callable[[], object], grace_s: float = 0.0) -> None:
    """Do something in an interruptible block, and wait there for ever."""
    with ending.interruptible(grace_s=grace_s):
        do()
        while True:
            signal.pause()


def send_sigterm() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.usefixtures("handlers")
class TestEnding:
    """What a supervisor copies is interrupted when its job has to end."""

    def test_stop_interrupts_at_once(self) -> None:
        ending = Ending(lambda: None)
        with pytest.raises(EndedEarly):
            wait_in_block(ending, send_sigterm)

        assert ending.reason == "Stopped"

    def test_runtime_limit_interrupts_at_once(self) -> None:
        ending = Ending(lambda: None)
        with pytest.raises(EndedEarly):
            wait_in_block(ending, lambda: ending.limit(0.001))

        assert ending.reason == "MaxRuntimeExceeded"

    def test_nothing_begins_after_the_end(self) -> None:
        ending = Ending(lambda: None)
        ending.stop()

        with pytest.raises(EndedEarly), ending.interruptible():
            pytest.fail("begun")

    @pytest.mark.parametrize("is_ended_before", [True, False])
    def test_upload_has_a_time_of_grace(self, *, is_ended_before: bool) -> None:
        ended: list[int] = []
        ending = Ending(lambda: ended.append(1))
        if is_ended_before:
            ending.stop()
        with pytest.raises(EndedEarly):
            wait_in_block(ending, send_sigterm, grace_s=0.001)

        assert ended == [1]

    def test_upload_that_is_quick_enough_is_not_interrupted(self) -> None:
        ending = Ending(lambda: None)
        with ending.interruptible(grace_s=3600.0):
            ending.stop()

        assert ending.reason == "Stopped"


def blocks_its_download(account: TrainingAccount, **more: Any) -> None:
    """Submit a job whose supervisor waits forever to write a file of a channel."""
    account.put("data/file")
    target = account.ml() / "input" / "data" / "train"
    target.mkdir(parents=True)
    os.mkfifo(target / "file")
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    account.submit(WAITS, InputDataConfig=[channel], **more)


def test_job_can_be_stopped_while_its_data_is_downloaded(account: TrainingAccount) -> None:
    blocks_its_download(account)
    account.supervisor()
    account.stop()
    job = account.wait()

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]


@pytest.mark.parametrize("timing", [EngineTiming()])
def test_runtime_limit_ends_a_download(account: TrainingAccount) -> None:
    blocks_its_download(account, StoppingCondition={"MaxRuntimeInSeconds": 1})

    assert account.wait()["SecondaryStatus"] == "MaxRuntimeExceeded"
