"""Closing a store, or ending the program, while other threads are in calls."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store import Store

CALLERS = """
import atexit, itertools, sys, threading
from mnist_tracking.embedded.engine import EmbeddedSageMaker

engine = EmbeddedSageMaker(sys.argv[1])
client = engine.session().client("sagemaker")
arn = client.create_experiment(ExperimentName="digits")["ExperimentArn"]
errors, calls = [], itertools.count()

def call():
    try:
        while True:
            client.add_tags(ResourceArn=arn, Tags=[{"Key": str(next(calls) % 20), "Value": "v"}])
            client.list_experiments()
    except BaseException as error:
        errors.append(error)
        raise

for _ in range(4):
    threading.Thread(target=call, daemon=True).start()
"""
CLOSES = "while next(calls) < 800:\n    engine.close()\nprint(errors)\n"
ENDS = "while next(calls) < 50:\n    pass\natexit.register(engine.close)\n"


@pytest.mark.parametrize(("end", "said"), [(CLOSES, "[]\n"), (ENDS, "")])
def test_threads_in_calls_survive_the_end(tmp_path: Path, end: str, said: str) -> None:
    """Their calls succeed, on connections that they close themselves."""
    command = [sys.executable, "-c", CALLERS + end, str(tmp_path / "home")]
    child = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (child.returncode, child.stdout, child.stderr) == (0, said, "")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "home")
    yield store
    store.close()


def test_connection_in_use_is_closed_by_its_thread(store: Store) -> None:
    """Closing does not wait for it; the block that uses it ends as if nothing had happened."""
    with store.write() as connection:
        threading.Thread(target=store.close).start()
        closer = threading.Thread(target=store.close)
        closer.start()
        closer.join()
        connection.execute("INSERT INTO tags VALUES ('a', 'k', 'v')")

    with pytest.raises(Exception, match="closed"):
        connection.execute("SELECT 1")
    with store.read() as connection:
        assert connection.execute("SELECT count(*) FROM tags").fetchone()[0] == 1


def test_ended_thread_keeps_no_file_open(store: Store) -> None:
    """A connection lasts as long as its thread."""

    def use() -> None:
        with store.read() as connection:
            connection.execute("SELECT 1")

    before = _open_files()
    for _ in range(20):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()

    assert _open_files() <= before + 1  # which SQLite keeps for the next one, while another connection holds locks


def test_closed_store_keeps_no_file_open(tmp_path: Path) -> None:
    before = _open_files()
    engine = EmbeddedSageMaker(tmp_path / "home")
    engine.session().client("sagemaker").create_experiment(ExperimentName="digits")
    engine.close()

    assert _open_files() == before


def _open_files() -> int:
    """How many descriptors this process has, where the system shows them."""
    return len(list(Path("/dev/fd").iterdir()))
