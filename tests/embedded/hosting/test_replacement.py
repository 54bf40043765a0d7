"""A model server that ends or hangs is replaced: one request fails, and the next one gets its response."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from tests.support.hosting_account import HostingAccount
from tests.support.processes import is_alive, until

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.timing import EngineTiming

BAD = """
import ctypes, os, signal, sys, threading, time
def model_fn(model_dir): return os.getpid()
def transform_fn(model, body, content_type, accept):
    exec(body)
    return str(model)
"""
FATAL = {
    "os._exit(7)": "ended with status 7",
    "os._exit(0)": "ended with status 0",
    "os.kill(os.getpid(), signal.SIGKILL)": "was killed by SIGKILL",
    "os.kill(os.getpid(), 40)": "was killed by signal 40",
    "ctypes.string_at(0)": "was killed by SIGSEGV",
    "os.closerange(3, 256)": "ended with status 1",
    "threading.Thread(target=os._exit, args=(3,)).start(); time.sleep(60)": "ended with status 3",
}
HANGING = [
    "while True: pass",
    "threading.Event().wait()",
    "10 ** 10 ** 9",  # holds the interpreter's lock
    "os.kill(os.getpid(), signal.SIGSTOP)",
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); threading.Event().wait()",
]
HARMLESS = [
    "threading.Thread(target=sys.exit).start()",
    "os.fork()",
    "sys.stdout.close(); sys.stderr.close()",
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
]


@pytest.fixture
def timing() -> EngineTiming:
    return EngineTiming(restart_pause_s=0.0)


@pytest.fixture
def account(tmp_path: Path, timing: EngineTiming) -> Iterator[HostingAccount]:
    engine = EmbeddedSageMaker(tmp_path / "home", timing=timing)
    account = HostingAccount(engine)
    yield account
    account.delete_all()
    engine.close()


def error_of(account: HostingAccount, body: str) -> ClientError:
    """The error of a request, a ModelError."""
    with pytest.raises(ClientError) as caught:
        account.ask(body)
    assert caught.value.response["Error"]["Code"] == "ModelError"
    return caught.value


def test_handlers_that_end_the_server_cost_one_request(account: HostingAccount) -> None:
    account.deploy(script=BAD)
    servers = [account.ask("pass")]
    for body, how in FATAL.items():
        assert f"The model server {how} while it handled this request" in str(error_of(account, body))
        servers.append(account.ask("pass"))

    assert len(set(servers)) == len(FATAL) + 1
    assert account.status() == "InService"
    for body in HARMLESS:
        account.ask(body)
        assert account.ask("pass") == servers[-1]


@pytest.mark.parametrize("timing", [EngineTiming(invocation_timeout_s=0.5)])
def test_handlers_that_hang_cost_one_request(account: HostingAccount) -> None:
    """Also those that hold the interpreter's lock, or stop the process."""
    account.deploy(script=BAD)
    servers = [account.ask("pass")]
    for body in HANGING:
        message = str(error_of(account, body))
        assert "Your invocation timed out while waiting for a response: the model took longer than 0.5 s" in message
        servers.append(account.ask("pass"))

    assert len(set(servers)) == len(HANGING) + 1
    assert not any(is_alive(int(pid)) for pid in servers[:-1])
    assert account.status() == "InService"


def test_requests_that_wait_behind_a_fatal_one_are_answered(account: HostingAccount) -> None:
    """They are given to the new server."""
    account.deploy(script=BAD)
    gate = account.engine.home / "gate"
    os.mkfifo(gate)
    answers: list[str] = []
    fatal = threading.Thread(target=error_of, args=(account, f"open({str(gate)!r}).read(); os._exit(1)"))
    fatal.start()
    with gate.open("w"):  # open once the handler reads
        waiting = [threading.Thread(target=lambda: answers.append(account.ask("pass"))) for _ in range(4)]
        for thread in waiting:
            thread.start()
    for thread in (fatal, *waiting):
        thread.join()

    assert len(answers) == 4
    assert len(set(answers)) == 1


def test_idle_server_that_is_killed_is_replaced(account: HostingAccount) -> None:
    """No request fails."""
    account.deploy(script=BAD)
    first = account.ask("pass")
    os.kill(int(first), signal.SIGKILL)

    assert account.ask("pass") != first


def test_server_that_cannot_be_started_anew_fails_the_endpoint(account: HostingAccount, tmp_path: Path) -> None:
    """After a few attempts, not for ever."""
    loads = tmp_path / "loads"
    script = f"""
import os
def model_fn(model_dir):
    with open({str(loads)!r}, "a") as file: file.write("+")
    if os.path.getsize({str(loads)!r}) > 1: raise RuntimeError("no weights")
def transform_fn(model, body, content_type, accept): os._exit(7)
"""
    account.deploy(script=script)
    error_of(account, "")
    until(lambda: account.status() == "Failed")

    assert loads.read_text() == "+" * 6
    assert account.describe()["FailureReason"] == (
        "The model server ended with status 1. It was started 5 times and never got to a request. "
        "Its log ends with: RuntimeError: no weights"
    )
