"""
Other programs open, copy, move and delete the store's files while it is in use.

SQLite's own locks end when anything in the process closes any descriptor of its files.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.filesystem import HomeLostError
from mnist_tracking.errors import ConfigError

FILES = ("sagemaker.db", "sagemaker.db-wal", "sagemaker.db-shm")
WRITER = """
import contextlib, itertools, shutil, sys, threading
from pathlib import Path
from mnist_tracking.embedded.store import Store

home, who = Path(sys.argv[1]), sys.argv[2]
store = Store(home)

def open_others():
    for number in itertools.count():
        for name in ("sagemaker.db", "sagemaker.db-wal", "sagemaker.db-shm"):
            with contextlib.suppress(FileNotFoundError):
                (home / name).open("rb").close()
                if number % 50 == 0:
                    shutil.copyfile(home / name, home.parent / f"copy-{who}")

threading.Thread(target=open_others, daemon=True).start()
for number in range(int(sys.argv[3])):
    with store.write() as connection:
        query = "SELECT count(*) FROM tags WHERE arn = ?"
        assert connection.execute(query, (who,)).fetchone()[0] == number, "a write is lost"
        connection.execute("INSERT INTO tags VALUES (?, ?, ?)", (who, str(number), "v" * 500))
    print(number, flush=True)
    if number % 20 == 0:
        store.close()
"""


def open_and_close(home: Path) -> None:
    """What a backup program or a scanner does."""
    for name in FILES:
        with contextlib.suppress(FileNotFoundError):
            (home / name).read_bytes()


def put(store: Store, arn: str) -> None:
    """Write something."""
    with store.write() as connection:
        connection.execute("INSERT INTO tags VALUES (?, 'k', 'v')", (arn,))


def stored(home: Path) -> list[str]:
    """What another program finds."""
    script = (
        "import sys; from pathlib import Path; from mnist_tracking.embedded.store import Store\n"
        "with Store(Path(sys.argv[1])).read() as connection:\n"
        "    print(*(row['arn'] for row in connection.execute('SELECT arn FROM tags')))"
    )
    child = subprocess.run([sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=True)
    return child.stdout.split()


def test_nothing_is_lost_while_others_open_the_files_and_writers_are_killed(tmp_path: Path) -> None:
    """Each writer opens, copies and closes the files in another thread; two of three are killed while they write."""
    home, acknowledged = tmp_path / "home", {}
    Store(home).close()
    for turn in range(3):
        command = [sys.executable, "-c", WRITER, str(home)]
        children = {
            f"{turn}-{number}": subprocess.Popen(
                [*command, f"{turn}-{number}", "60"], stdout=subprocess.PIPE, text=True
            )
            for number in range(3)
        }
        for (who, child), lines in zip(children.items(), (20, 40, 60), strict=True):
            with child:
                assert child.stdout is not None
                said = [child.stdout.readline() for _ in range(lines)]
                child.kill()
                said += child.stdout.readlines()
            acknowledged[who] = len([line for line in said if line.endswith("\n")])
            assert acknowledged[who] >= lines

    with Store(home).read() as connection:
        found = dict(connection.execute("SELECT arn, count(*) FROM tags GROUP BY arn").fetchall())
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert all(found[who] - number in (0, 1) for who, number in acknowledged.items())


def test_last_process_to_close_leaves_the_log_to_those_that_still_write(tmp_path: Path) -> None:
    """The other process takes itself for the last one, since this one has lost SQLite's locks."""
    store = Store(tmp_path / "home")
    put(store, "before")
    open_and_close(store.home)
    assert stored(store.home) == ["before"]
    put(store, "after")

    assert stored(store.home) == ["after", "before"]
    store.close()


def test_own_connection_of_the_user_is_harmless(tmp_path: Path) -> None:
    """SQLite's own tools may look at the database while it is written."""
    store = Store(tmp_path / "home")
    put(store, "before")
    connection = sqlite3.connect(store.path)
    assert connection.execute("SELECT arn FROM tags").fetchall() == [("before",)]
    connection.close()
    put(store, "after")

    assert stored(store.home) == ["after", "before"]
    store.close()


def test_long_log_is_written_to_the_database(tmp_path: Path) -> None:
    """As soon as nobody reads; a closed store's database is complete without the log."""
    store, other = Store(tmp_path / "home"), Store(tmp_path / "home")
    log, value = Path(f"{store.path}-wal"), "v" * 100_000
    with other.snapshot() as connection:
        connection.execute("SELECT * FROM tags").fetchall()
        for number in range(60):
            with store.write() as writer:
                writer.execute("INSERT INTO tags VALUES (?, 'k', ?)", (str(number), value))
        assert log.stat().st_size > 5_000_000
        assert connection.execute("SELECT count(*) FROM tags").fetchone()[0] == 0
    put(store, "next")
    assert log.stat().st_size == 0

    put(store, "last")
    store.close()
    other.close()
    assert log.stat().st_size == 0
    shutil.copyfile(store.path, tmp_path / "copy.db")
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT count(*) FROM tags").fetchone()[0] == 62
    copy.close()


def _move(home: Path) -> None:
    home.rename(home.with_name("elsewhere"))


def _replace(home: Path) -> None:
    _move(home)
    Store(home).close()


def _copy_back(home: Path) -> None:
    shutil.copytree(home, home.with_name("copy"))
    shutil.rmtree(home)
    home.with_name("copy").rename(home)


def _empty(home: Path) -> None:
    os.truncate(home / "sagemaker.db", 0)


def _delete(*names: str) -> Callable[[Path], None]:
    def delete(home: Path) -> None:
        for name in names:
            (home / name).unlink()

    return delete


CHANGES = (
    _move,
    shutil.rmtree,
    _replace,
    _copy_back,
    _empty,
    _delete("sagemaker.db"),
    _delete("sagemaker.db-wal"),
    _delete("sagemaker.db-shm"),
    _delete("sagemaker.db-wal", "sagemaker.db-shm"),
    _delete("locks/write"),
)


def _write_and_change(store: Store, change: Callable[[Path], None]) -> None:
    with store.write() as connection:
        connection.execute("INSERT INTO tags VALUES ('after', 'k', 'v')")
        change(store.home)


@pytest.mark.parametrize("change", CHANGES)
def test_home_that_is_changed_in_use_acknowledges_nothing(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Neither the threads that used it before, nor a new connection."""
    store = Store(tmp_path / "home")
    put(store, "before")
    with pytest.raises(HomeLostError, match="moved, deleted or replaced"):
        _write_and_change(store, change)
    if change not in (_copy_back, _replace, *CHANGES[6:]):  # otherwise, a new connection finds a whole home
        with pytest.raises(HomeLostError):
            put(store, "again")
    store.close()


def test_deleted_log_is_saved_by_the_connection_that_has_it(tmp_path: Path) -> None:
    """What was acknowledged is in the database, although nothing had been written to it; one write fails."""
    store = Store(tmp_path / "home")
    with store.write() as connection:
        connection.execute("INSERT INTO tags VALUES ('acknowledged', 'k', 'v')")
    Path(f"{store.path}-wal").unlink()
    with pytest.raises(HomeLostError), store.write() as connection:
        connection.execute("INSERT INTO tags VALUES ('failed', 'k', 'v')")
    with store.write() as connection:
        connection.execute("INSERT INTO tags VALUES ('next', 'k', 'v')")
    store.close()

    with Store(tmp_path / "home").read() as connection:
        assert {row["arn"] for row in connection.execute("SELECT arn FROM tags")} == {"acknowledged", "next"}


def test_calls_on_a_deleted_home_fail_and_create_nothing(tmp_path: Path) -> None:
    """AWS's InternalFailure, which names the home."""
    engine = EmbeddedSageMaker(tmp_path / "home")
    client, s3 = engine.session().client("sagemaker"), engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    shutil.rmtree(engine.home)
    for _ in range(2):
        with pytest.raises(client.exceptions.ClientError, match=r"InternalFailure.*home.* moved, deleted or replaced"):
            client.create_experiment(ExperimentName="digits")
        with pytest.raises(client.exceptions.ClientError, match=r"InternalFailure.*home.* moved, deleted or replaced"):
            s3.put_object(Bucket="bucket", Key="key", Body=b"content")

    assert not engine.home.exists()
    engine.close()


def test_moved_home_can_be_opened_at_its_new_place(tmp_path: Path) -> None:
    """Also by the process that used it where it was."""
    store = Store(tmp_path / "home")
    put(store, "before")
    _move(store.home)
    moved = Store(tmp_path / "elsewhere")
    put(moved, "after")

    assert stored(moved.home) == ["after", "before"]
    store.close()
    moved.close()


@pytest.mark.parametrize("content", [None, b""])
def test_missing_database_beside_contents_is_rejected(tmp_path: Path, content: bytes | None) -> None:
    """It is not replaced by a new one, which would make orphans of the contents."""
    engine = EmbeddedSageMaker(tmp_path / "home")
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"content")
    engine.close()
    for name in FILES:
        (engine.home / name).unlink()
    if content is not None:
        (engine.home / FILES[0]).write_bytes(content)

    with pytest.raises(ConfigError, match=r"missing or empty, but '.*/s3/.*' is still there"):
        EmbeddedSageMaker(engine.home)
    assert (content is None) != (engine.home / FILES[0]).exists()


def test_database_of_another_program_is_rejected(tmp_path: Path) -> None:
    """Whatever it contains."""
    connection = sqlite3.connect(tmp_path / "sagemaker.db")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(ConfigError, match="database of another program"):
        Store(tmp_path)

    connection = sqlite3.connect(tmp_path / "sagemaker.db")
    connection.execute("DROP TABLE theirs")
    connection.execute("PRAGMA application_id = 7")
    connection.close()
    with pytest.raises(ConfigError, match="database of another program"):
        Store(tmp_path)
