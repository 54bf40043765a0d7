"""An interrupt, at any moment of any call, loses nothing that was acknowledged and leaves no lock behind."""

import random
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType

import pytest
from tests.support.interrupts import is_interrupted

from mnist_tracking._values.files import hold_lock, is_locked, locked
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.interrupts import uninterrupted, uninterrupted_read
from mnist_tracking.embedded.store import Store


def test_interrupted_calls_lose_nothing(tmp_path: Path) -> None:
    """200 interrupts at random moments: what was acknowledged is there, and nobody holds a lock."""
    engine, moments = EmbeddedSageMaker(tmp_path / "home"), random.Random(9)
    client, s3 = engine.session().client("sagemaker"), engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    acknowledged: list[str] = []
    interrupts = 0

    def write() -> None:
        for number in range(20):
            name = f"name-{interrupts}-{number}"
            client.create_experiment(ExperimentName=name)
            s3.put_object(Bucket="bucket", Key=name, Body=b"content")
            acknowledged.append(name)

    while interrupts < 200 or len(acknowledged) < 100:
        interrupts += is_interrupted(write, after_s=moments.uniform(0.00001, 0.015))

    other = Store(tmp_path / "home", busy_timeout_s=5.0)
    with other.write() as connection:
        names = {row["name"] for row in connection.execute("SELECT name FROM experiments")}
        keys = {row["key"] for row in connection.execute("SELECT key FROM objects")}
    assert names >= set(acknowledged)
    assert keys >= set(acknowledged)
    assert {s3.get_object(Bucket="bucket", Key=key)["Body"].read() for key in acknowledged[-20:]} == {b"content"}
    other.close()
    engine.close()


def test_interrupted_call_finishes_in_the_background() -> None:
    """The caller has the interrupt at once; the function does not see it. The next one comes after it."""
    order: list[str] = []

    def slow() -> None:
        signal.pthread_kill(_main(), signal.SIGALRM)
        interrupted.wait(60)
        order.append("interrupted")

    interrupted = threading.Event()
    assert is_interrupted(lambda: uninterrupted(slow), after_s=600)
    assert order == []
    interrupted.set()
    uninterrupted(order.append, "next")
    assert order == ["interrupted", "next"]


def test_nothing_waits_for_an_interrupted_prediction() -> None:
    may_end, ended = threading.Event(), threading.Event()

    def slow() -> None:
        signal.pthread_kill(_main(), signal.SIGALRM)
        may_end.wait(60)
        ended.set()

    assert is_interrupted(lambda: uninterrupted_read(slow), after_s=600)
    assert uninterrupted(lambda: not ended.is_set())
    may_end.set()
    assert ended.wait(60)


def _main() -> int:
    found = threading.main_thread().ident
    assert found is not None
    return found


def test_calls_of_other_threads_run_where_they_are() -> None:
    """No handler interrupts them; the main thread's run in another."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(uninterrupted(threading.get_ident)))
    thread.start()
    thread.join()

    assert found == [thread.ident]
    assert uninterrupted(threading.get_ident) != threading.get_ident()


def test_errors_are_raised_where_the_function_was_called() -> None:
    def fail(text: str, *, number: int) -> None:
        raise LookupError(text, number)

    with pytest.raises(LookupError) as raised:
        uninterrupted(fail, "text", number=7)
    assert raised.value.args == ("text", 7)


def test_signal_handler_can_make_calls(engine: EmbeddedSageMaker) -> None:
    """One that does not raise runs while a call waits; its own calls come after that one."""
    client = engine.session().client("sagemaker")

    def handle(_number: int, _frame: FrameType | None) -> None:
        client.create_experiment(ExperimentName="from-the-handler")

    def slow() -> str:
        signal.pthread_kill(_main(), signal.SIGALRM)
        return "done"

    before = signal.signal(signal.SIGALRM, handle)
    assert uninterrupted(slow) == "done"
    signal.signal(signal.SIGALRM, before)

    assert client.describe_experiment(ExperimentName="from-the-handler")["ExperimentName"] == "from-the-handler"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("lock", [locked, hold_lock])
def test_interrupted_lock_is_released(tmp_path: Path, lock: Callable[[Path], AbstractContextManager[object]]) -> None:
    """Wherever the interrupt comes: before, in or after the block."""
    path, moments, interrupts = tmp_path / "lock", random.Random(9), 0

    def take() -> None:
        for _ in range(200):
            with lock(path):
                pass

    while interrupts < 300:
        interrupts += is_interrupted(take, after_s=moments.uniform(0.00001, 0.0005))
        assert not is_locked(path)
