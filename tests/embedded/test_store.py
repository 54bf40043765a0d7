import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.filesystem import check_file_system, file_system_of
from mnist_tracking.errors import ConfigError

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /data rw - nfs4 server:/export rw
31 30 8:2 / /data/local\\040disk rw shared:5 master:2 - xfs /dev/sdb1 rw
32 22 0:41 / /data/ä rw - cifs //server/share rw
"""


def names(engine: EmbeddedSageMaker) -> set[str]:
    """Names of all experiments."""
    pages = engine.session().client("sagemaker").get_paginator("list_experiments").paginate()
    return {item["ExperimentName"] for page in pages for item in page["ExperimentSummaries"]}


def test_experiments_survive_reopening(tmp_path: Path) -> None:
    """What one engine acknowledged, the next one on the same folder shows."""
    for name in ("first", "second"):
        engine = EmbeddedSageMaker(tmp_path / "home")
        engine.session().client("sagemaker").create_experiment(ExperimentName=name)
        engine.close()

    assert names(EmbeddedSageMaker(tmp_path / "home")) == {"first", "second"}


def test_closed_engine_can_be_used_again(engine: EmbeddedSageMaker) -> None:
    """Closing only closes connections."""
    client = engine.session().client("sagemaker")
    client.create_experiment(ExperimentName="digits")
    engine.close()

    assert client.describe_experiment(ExperimentName="digits")["ExperimentName"] == "digits"


def test_threads_write_at_once(engine: EmbeddedSageMaker) -> None:
    """No write is lost or fails when 8 threads share one client."""
    client = engine.session().client("sagemaker")
    expected = {f"digits-{number}" for number in range(64)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.create_experiment(ExperimentName=name), expected))

    assert names(engine) == expected


def test_processes_open_and_write_at_once(tmp_path: Path) -> None:
    """Four processes create a store at once, and no write is lost."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mnist_tracking.embedded.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for number in range(25):\n"
        "    with store.write() as connection:\n"
        "        connection.execute('INSERT INTO tags VALUES (?, ?, ?)', (sys.argv[2], str(number), ''))\n"
        "store.close()\n"
    )
    home = tmp_path / "home"
    children = [subprocess.Popen([sys.executable, "-c", script, str(home), str(n)]) for n in range(4)]

    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    store = Store(home)
    with store.read() as connection:
        assert connection.execute("SELECT count(*) FROM tags").fetchone()[0] == 100
    store.close()


def _write_and_leave(store: Store) -> None:
    """What the child does; whatever happens, it must not go on with its parent's tests."""
    status = 1
    try:
        with store.write() as connection:
            connection.execute("INSERT INTO tags VALUES ('child', 'k', 'v')")
        store.close()
        status = 0
    finally:
        os._exit(status)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_forked_child_uses_its_own_connections(tmp_path: Path) -> None:
    """A child that writes, closes and ends does not affect its parent's connection."""
    store = Store(tmp_path / "home")
    with store.read() as connection:
        connection.execute("SELECT 1")
    child = os.fork()
    if child == 0:
        _write_and_leave(store)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    with store.write() as connection:
        connection.execute("INSERT INTO tags VALUES ('parent', 'k', 'v')")
        assert [row["arn"] for row in connection.execute("SELECT arn FROM tags")] == ["child", "parent"]
    store.close()


def test_components_are_found_by_their_source_in_any_case(engine: EmbeddedSageMaker) -> None:
    """The SDK's Run asks for a job's ARN in lower case."""
    client, arn = engine.session().client("sagemaker"), "arn:aws:sagemaker:us-east-1:000000000000:training-job/Job"
    client.create_trial_component(TrialComponentName="job-aws-training-job")
    with engine.store.write() as connection:
        connection.execute("UPDATE components SET source_arn = ?", (arn,))

    for asked, expected in ((arn, 1), (arn.lower(), 1), (f"{arn}-2", 0)):
        assert len(client.list_trial_components(SourceArn=asked)["TrialComponentSummaries"]) == expected


def test_failed_write_changes_nothing(tmp_path: Path) -> None:
    """A write is atomic, and does not disturb the next one."""
    store = Store(tmp_path / "home")
    doubled = [("a",), ("a",)]
    with pytest.raises(sqlite3.IntegrityError), store.write() as connection:
        connection.executemany("INSERT INTO tags VALUES (?, 'k', 'v')", doubled)
    with store.write() as connection:
        connection.execute("INSERT INTO tags VALUES ('b', 'k', 'v')")

    with store.read() as connection:
        assert [row["arn"] for row in connection.execute("SELECT arn FROM tags")] == ["b"]
    store.close()


def test_snapshot_is_consistent(tmp_path: Path) -> None:
    """Reads of a snapshot do not see concurrent writes."""
    ours, other = Store(tmp_path / "home"), Store(tmp_path / "home")
    with ours.snapshot() as snapshot:
        before = snapshot.execute("SELECT count(*) FROM tags").fetchone()[0]
        with other.write() as connection:
            connection.execute("INSERT INTO tags VALUES ('a', 'k', 'v')")
        assert snapshot.execute("SELECT count(*) FROM tags").fetchone()[0] == before
    ours.close()
    other.close()


def test_home_that_cannot_be_created_is_rejected(tmp_path: Path) -> None:
    """The error names the folder and a solution."""
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(ConfigError, match=r"cannot be created: .*file' is not a folder"):
            EmbeddedSageMaker(home)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_home_is_rejected(tmp_path: Path) -> None:
    """Before anything else is done there."""
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="is not writable"):
        Store(tmp_path)


@pytest.mark.parametrize("content", [b"not a database, but long enough to look like one. " * 100, b"SQLite format 3\0"])
def test_broken_file_is_rejected_and_kept(tmp_path: Path, content: bytes) -> None:
    """A file that SQLite cannot read is an error that names it; it is not overwritten."""
    (tmp_path / "sagemaker.db").write_bytes(content)
    with pytest.raises(ConfigError, match=r"sagemaker\.db' cannot be used as the state of an embedded workspace"):
        Store(tmp_path)

    assert (tmp_path / "sagemaker.db").read_bytes() == content


def test_unknown_durability_is_rejected(tmp_path: Path) -> None:
    """The error lists the valid ones."""
    with pytest.raises(ConfigError, match="'paranoid'; expected one of 'normal', 'full'"):
        Store(tmp_path, durability="paranoid")


@pytest.mark.parametrize(("durability", "expected"), [("normal", 1), ("full", 2)])
def test_durability_is_sqlites(tmp_path: Path, durability: str, expected: int) -> None:
    """https://sqlite.org/pragma.html#pragma_synchronous: NORMAL is 1, FULL is 2."""
    store = Store(tmp_path, durability=durability)
    with store.read() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == expected
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    store.close()


@pytest.mark.parametrize(("durability", "expected"), [("normal", 0), ("full", 3)])
def test_contents_are_as_durable_as_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, expected: int
) -> None:
    """With "full", the file and the two folders that name it are synced before the row that refers to it."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    store = Store(tmp_path, durability=durability)
    store.blobs.put(b"seven")

    assert len(synced) == expected
    store.close()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/me", "ext4"),
        ("/data/mine", "nfs4"),
        ("/data/local disk/mine", "xfs"),
        ("/data/ä", "cifs"),
        ("/database", "ext4"),
    ],
)
def test_file_system_is_that_of_the_nearest_mount(folder: str, expected: str) -> None:
    """As in proc(5): spaces are octal, and the number of optional fields varies."""
    assert file_system_of(Path(folder), MOUNTS) == expected


def test_network_file_system_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's write-ahead log needs memory that all its users share."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 0:40 / / rw - nfs4 server:/export rw\n")
    monkeypatch.setattr("mnist_tracking.embedded.store.filesystem._MOUNTS", mounts)
    with pytest.raises(ConfigError, match=r"network file system \(nfs4\)"):
        check_file_system(tmp_path)

    mounts.unlink()
    check_file_system(tmp_path)
