"""Random histories of a home: writes, kills, interrupts, reopens, threads that close, and files that others open."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.support.interrupts import is_interrupted
from tests.support.kills import kill_once

from mnist_tracking.embedded.collection import collect
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.interrupts import uninterrupted
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import delete_object, ensure_bucket, list_objects, put_object

FILES = ("sagemaker.db", "sagemaker.db-wal", "sagemaker.db-shm", "locks/write", "locks/read")
keys = st.sampled_from(["a", "b", "c"])
contents = st.binary(max_size=8)
tried = {"kills": 0, "interrupts": 0, "foreign opens": 0, "reopens": 0}
"""What the machine did, as ``pytest -s`` shows; the variable HISTORIES is how many histories it tries."""


class Home(RuleBasedStateMachine):
    """
    One bucket, written by the main thread, other threads and other processes.

    `acknowledged` maps keys to the contents that they must have; `possible` to those that a killed or interrupted write
    may have given them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.home = self.folder / "home"
        self.acknowledged: dict[str, bytes | None] = {}
        self.possible: dict[str, set[bytes | None]] = {}

    @initialize()
    def create(self) -> None:
        self.engine = EmbeddedSageMaker(self.home)
        ensure_bucket(self.engine.store, "bucket", 0.0)

    def _put(self, key: str, content: bytes) -> None:
        """Put an object as a call of boto3 does, but faster."""
        uninterrupted(put_object, self.engine.store, "bucket", key, content, 0.0)

    def _acknowledge(self, key: str, content: bytes | None) -> None:
        self.acknowledged[key] = content
        self.possible.pop(key, None)

    def _may_have(self, key: str, content: bytes | None) -> None:
        self.possible.setdefault(key, {self.acknowledged.get(key)}).add(content)

    @rule(key=keys, content=contents)
    def put(self, key: str, content: bytes) -> None:
        self._put(key, content)
        self._acknowledge(key, content)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        uninterrupted(delete_object, self.engine.store, "bucket", key)
        self._acknowledge(key, None)

    @rule(key=keys, content=contents)
    def put_in_a_thread_that_ends(self, key: str, content: bytes) -> None:
        self._in_thread(lambda: self._put(key, content))
        self._acknowledge(key, content)

    @rule()
    def close_while_another_thread_reads(self) -> None:
        with self.engine.store.snapshot() as connection:
            self._in_thread(self.engine.close)
            connection.execute("SELECT * FROM objects").fetchall()

    @staticmethod
    def _in_thread(act: Callable[[], object]) -> None:
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()

    @rule(key=keys, content=contents, step=st.integers(1, 120))
    def put_in_a_process_that_is_killed(self, key: str, content: bytes, step: int) -> None:
        if kill_once(lambda: put_object(Store(self.home), "bucket", key, content, 0.0), step):
            tried["kills"] += 1
            self._may_have(key, content)
        else:
            self._acknowledge(key, content)

    @rule(key=keys, content=contents, after_s=st.floats(0.00001, 0.002))
    def put_until_interrupted(self, key: str, content: bytes, after_s: float) -> None:
        if is_interrupted(lambda: self._put(key, content), after_s=after_s):
            tried["interrupts"] += 1
            self._may_have(key, content)
            uninterrupted(lambda: None)  # it ends in the background, and the next rule may fork
        else:
            self._acknowledge(key, content)

    @rule()
    def open_and_close_the_files(self) -> None:
        for name in FILES:
            with contextlib.suppress(FileNotFoundError):
                (self.home / name).read_bytes()
        tried["foreign opens"] += 1

    @rule()
    def look_with_sqlite(self) -> None:
        with contextlib.closing(sqlite3.connect(self.home / "sagemaker.db")) as connection:
            connection.execute("SELECT count(*) FROM objects").fetchone()
        tried["foreign opens"] += 1

    @rule()
    def reopen(self) -> None:
        self.engine.close()
        self._use(self.home)

    @rule()
    def move_while_closed(self) -> None:
        self.engine.close()
        self._use(self.home.rename(self.folder / f"home-{tried['reopens']}"))

    @rule()
    def back_up_and_use_the_copy(self) -> None:
        copy = self.folder / f"copy-{tried['reopens']}"
        self.engine.backup(copy)
        self.engine.close()
        shutil.rmtree(self.home)
        self._use(copy)

    def _use(self, home: Path) -> None:
        tried["reopens"] += 1
        self.home = home
        self.engine = EmbeddedSageMaker(home)

    @rule()
    def collect_orphans(self) -> None:
        """Then there are as many files as objects."""
        uninterrupted(collect, self.engine._context)
        objects = uninterrupted(list_objects, self.engine.store, "bucket")
        assert sum(path.is_file() for path in (self.home / "s3").rglob("*")) == len(objects)

    @invariant()
    def acknowledged_contents_are_there(self) -> None:
        objects = uninterrupted(list_objects, self.engine.store, "bucket")
        found = {item.key: item.path.read_bytes() for item in objects}
        for key in {*self.acknowledged, *self.possible}:
            assert found.get(key) in self.possible.get(key, {self.acknowledged.get(key)})

    def teardown(self) -> None:
        self.engine.close()
        with contextlib.closing(sqlite3.connect(self.home / "sagemaker.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        shutil.rmtree(self.folder)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # an interrupt in hypothesis itself
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_nothing_that_was_acknowledged_is_lost() -> None:
    run_state_machine_as_test(
        Home,
        settings=settings(
            max_examples=int(os.environ.get("HISTORIES", "25")),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(", ".join(f"{number} {what}" for what, number in tried.items()))
