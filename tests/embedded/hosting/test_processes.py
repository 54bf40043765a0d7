"""The processes of endpoints: they outlive their creator, end when they should, and their loss is noticed."""

import http.client
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from tests.support.hosting_account import TIMES, HostingAccount
from tests.support.processes import until

from mnist_tracking._values.files import is_locked
from mnist_tracking.embedded.hosting import tables
from mnist_tracking.embedded.hosting.state import SECRET_HEADER

PID = "import os, json\ndef model_fn(d): return os.getpid()\ndef transform_fn(m, b, c, a): return json.dumps(m)"
CREATOR = """
import sys
from mnist_tracking.embedded.engine import EmbeddedSageMaker
engine = EmbeddedSageMaker(sys.argv[1])
engine.session().client("sagemaker").create_endpoint(EndpointName="digits", EndpointConfigName="digits")
"""

DELETER = """
import sys
from mnist_tracking.embedded.engine import EmbeddedSageMaker
session = EmbeddedSageMaker(sys.argv[1]).session()
assert session.client("sagemaker-runtime").invoke_endpoint(EndpointName="digits", Body=b"")["Body"].read()
session.client("sagemaker").delete_endpoint(EndpointName="digits")
"""


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_endpoint_outlives_its_creator(account: HostingAccount) -> None:
    account.make_model()
    subprocess.run([sys.executable, "-c", CREATOR, str(account.engine.home)], check=True)
    until(lambda: account.status() != "Creating")

    assert account.ask("2") == "6"


def test_endpoint_can_be_invoked_and_deleted_from_another_process(account: HostingAccount) -> None:
    account.deploy(script=PID)
    server = int(account.ask(""))
    subprocess.run([sys.executable, "-c", DELETER, str(account.engine.home)], check=True)

    assert account.row() is None
    assert not is_alive(server)


def test_deleting_ends_both_processes(account: HostingAccount) -> None:
    account.deploy(script=PID)
    server, supervisor = int(account.ask("")), account.row()["supervisor_pid"]
    account.sagemaker.delete_endpoint(EndpointName="digits")

    assert not is_alive(server)
    until(lambda: not is_alive(supervisor))  # its lock is released just before it ends


def test_deleting_while_it_loads_ends_it(account: HostingAccount) -> None:
    account.make_model(script="import os, threading\nprint(os.getpid())\nthreading.Event().wait()")
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
    until(lambda: len(account.log()) == 1)
    account.sagemaker.delete_endpoint(EndpointName="digits")

    assert not is_alive(int(account.log()[0]))


def test_endpoint_can_be_deleted_right_after_creation(account: HostingAccount) -> None:
    account.make_model()
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
    account.sagemaker.delete_endpoint(EndpointName="digits")

    assert account.folders() == []


def test_deletion_does_not_wait_for_a_pending_response(account: HostingAccount) -> None:
    account.deploy(
        script=TIMES.replace("return data * model", "print('asked'); import threading; threading.Event().wait()")
    )
    told: list[str] = []

    def ask() -> None:
        with pytest.raises(ClientError) as caught:
            account.ask("1")
        told.append(caught.value.response["Error"]["Code"])

    thread = threading.Thread(target=ask)
    thread.start()
    account.wait_for_log("asked")
    account.sagemaker.delete_endpoint(EndpointName="digits")
    thread.join()

    assert told == ["ModelError"]


def test_server_ends_with_its_killed_supervisor(account: HostingAccount) -> None:
    account.deploy(script=PID)
    server = int(account.ask(""))
    (account.folder() / "supervisor.log").write_text("Traceback ...\nMemoryError\n")
    os.kill(account.row()["supervisor_pid"], signal.SIGKILL)
    until(lambda: not is_locked(account.folder() / "supervisor.lock"))

    assert account.status() == "Failed"
    assert account.describe()["FailureReason"].endswith(
        "was killed, or the machine was restarted. Its own log ends with: MemoryError"
    )
    until(lambda: not is_alive(server))
    account.sagemaker.delete_endpoint(EndpointName="digits")
    assert account.folders() == []


DAEMON = """
import os, subprocess, sys
LOOP = "import threading; threading.Event().wait()"
def model_fn(model_dir):
    if os.fork() == 0:
        os.setsid()
        daemon = os.fork() or os.execve(sys.executable, [sys.executable, "-c", LOOP], {})
        print(daemon, flush=True)
        os._exit(0)
    return os.getpid()
def transform_fn(m, b, c, a): exec(b); return str(m)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no subreapers")
def test_nothing_outlives_a_killed_supervisor_even_if_nobody_looks(account: HostingAccount) -> None:
    """Not even a daemon in its own session, with an empty environment."""
    account.deploy(script=DAEMON)
    until(lambda: len(account.log()) == 1)
    pids = [int(account.ask("")), int(account.log()[0])]
    assert all(map(is_alive, pids))
    os.kill(account.row()["supervisor_pid"], signal.SIGKILL)

    until(lambda: not any(map(is_alive, pids)))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no subreapers")
def test_daemons_of_a_server_end_with_it_and_with_the_endpoint(account: HostingAccount) -> None:
    account.deploy(script=DAEMON)
    until(lambda: len(account.log()) == 1)
    with pytest.raises(ClientError, match="It is started anew"):
        account.ask("os._exit(1)")
    until(lambda: len(account.log()) == 2)
    first, second = map(int, account.log())
    until(lambda: not is_alive(first))

    assert is_alive(second)
    account.sagemaker.delete_endpoint(EndpointName="digits")
    assert not is_alive(second)


def test_deleting_the_home_ends_the_endpoint(account: HostingAccount) -> None:
    account.deploy(script=PID)
    supervisor = account.row()["supervisor_pid"]
    account.folder().rename(account.engine.home / "gone")
    until(lambda: not is_alive(supervisor))

    assert account.folders() == []


def test_an_endpoint_listens_on_loopback_alone(account: HostingAccount) -> None:
    account.deploy(script=PID)
    server, port = int(account.ask("")), account.row()["port"]
    if not Path("/proc/self/net/tcp").exists():
        pytest.skip("reads /proc")

    tables = [Path(f"/proc/{server}/net/{kind}").read_text().splitlines()[1:] for kind in ("tcp", "tcp6")]
    listening = [line.split()[1] for lines in tables for line in lines if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_threads_can_invoke_an_endpoint_at_once(account: HostingAccount) -> None:
    account.deploy()
    answers: list[str] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(account.ask(str(n)))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(int, answers)) == [3 * n for n in range(8)]


def test_endpoint_stays_healthy_during_a_slow_response(account: HostingAccount, tmp_path: Path) -> None:
    """The handlers run in a separate process, so /ping responds meanwhile."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    account.deploy(script=TIMES.replace("return data * model", f"open({str(gate)!r}).read(); return data * model"))
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(account.ask("1")))
    thread.start()
    with gate.open("w"):  # open once the handler reads
        connection = http.client.HTTPConnection("127.0.0.1", account.row()["port"])
        connection.request("GET", "/ping", headers={SECRET_HEADER: (account.folder() / "secret").read_text()})
        assert connection.getresponse().status == 200
        connection.close()
        assert answers == []
    thread.join()

    assert answers == ["3"]


def test_lost_endpoint_is_failed_even_if_that_cannot_be_written(
    account: HostingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk makes no read fail, and nothing is sent to a port that somebody else may have by now."""
    account.deploy(script=PID)
    lock = account.folder() / "supervisor.lock"
    os.kill(account.row()["supervisor_pid"], signal.SIGKILL)
    until(lambda: not is_locked(lock))

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as full:
        full.setattr(tables, "set_failed", fail)
        assert account.status() == "Failed"
        assert account.sagemaker.list_endpoints()["Endpoints"]
        with pytest.raises(ClientError, match="Its status is Failed"):
            account.ask("")
    assert account.row()["status"] == "InService"
    assert account.status() == account.row()["status"] == "Failed"


NESTS = """
import os
def model_fn(d): return d
def transform_fn(m, b, c, a):
    os.chdir(m)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    return "1"
"""


def test_a_model_that_nests_folders_very_deeply_can_be_deleted(account: HostingAccount) -> None:
    """And stops no other endpoint from being created."""
    account.deploy(script=NESTS)
    account.ask("1")
    account.sagemaker.delete_endpoint(EndpointName="digits")

    assert account.folders() == []
    assert account.sagemaker.list_endpoints()["Endpoints"] == []


@pytest.mark.parametrize("path", ["", "ml", "ml/model"])
def test_a_folder_replaced_by_a_link_leads_nowhere(account: HostingAccount, tmp_path: Path, path: str) -> None:
    target = tmp_path / "target"
    for folder in ("ml/model", "model"):
        (target / folder).mkdir(parents=True)
        (target / folder / "private").write_text("private")
        (target / folder / "private").chmod(0o400)
    before = sorted((each, each.lstat().st_mode) for each in target.rglob("*"))
    script = (
        "import os\ndef model_fn(d): return os.path.dirname(os.path.dirname(d))\n"
        f"def transform_fn(m, b, c, a):\n    path = os.path.normpath(os.path.join(m, {path!r}))\n"
        f"    os.rename(path, path + '-moved'); os.symlink({str(target)!r}, path)\n    return '1'"
    )
    account.deploy(script=script)
    account.ask("1")
    account.sagemaker.delete_endpoint(EndpointName="digits")

    assert sorted((each, each.lstat().st_mode) for each in target.rglob("*")) == before
    assert not [name for name in account.folders() if not name.endswith("-moved")]
