"""A process that is forked without exec while other threads use the store."""

import os
import signal
import threading
from pathlib import Path

import pytest

from mnist_tracking.embedded.store import Store

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
_before_fork: list[threading.Event] = []


def _set_events() -> None:
    for event in _before_fork:
        event.set()


os.register_at_fork(before=_set_events)


def child_exit_code(store: Store) -> int:
    """Write in a forked child, which is killed if it hangs; return how it ended."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        status = 1
        try:
            with store.write() as connection:
                connection.execute("INSERT OR REPLACE INTO tags VALUES ('child', 'k', 'v')")
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_child_forked_while_another_thread_writes(tmp_path: Path) -> None:
    """SQLite's record of the other thread's transaction would lock the database for the child, for ever."""
    store, begun, is_forking = Store(tmp_path / "home", busy_timeout_s=5.0), threading.Event(), threading.Event()

    def write() -> None:
        with store.write() as connection:
            connection.execute("INSERT INTO tags VALUES ('thread', 'k', 'v')")
            begun.set()
            is_forking.wait(60)

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait(60)
    _before_fork.append(is_forking)
    try:
        assert child_exit_code(store) == 0
    finally:
        _before_fork.clear()
    thread.join()
    with store.read() as connection:
        assert {row["arn"] for row in connection.execute("SELECT arn FROM tags")} == {"thread", "child"}
    store.close()


@pytest.mark.parametrize("name", ["read", "write"])
def test_fork_within_an_own_block_does_not_wait(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "home")
    with getattr(store, name)():
        child = os.fork()
        if child == 0:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with store.write() as connection:
        connection.execute("INSERT INTO tags VALUES ('parent', 'k', 'v')")
    store.close()


def test_child_forked_while_a_thread_ends(tmp_path: Path) -> None:
    """The connection of a thread is closed when it ends, but not during a fork."""
    store = Store(tmp_path / "home", busy_timeout_s=5.0)

    def write_in_threads() -> None:
        while not is_over.is_set():
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()

    def write() -> None:
        with store.write() as connection:
            connection.execute("INSERT OR REPLACE INTO tags VALUES ('thread', 'k', 'v')")

    is_over = threading.Event()
    writer = threading.Thread(target=write_in_threads)
    writer.start()
    try:
        assert [child_exit_code(store) for _ in range(30)] == [0] * 30
    finally:
        is_over.set()
        writer.join()
        store.close()
