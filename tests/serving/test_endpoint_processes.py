"""Waiting for, and asking, an endpoint whose processes die without a word."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.hosting_account import HostingAccount
from tests.support.processes import until

from mnist_tracking import JobFailedError, JobTimeoutError, NotFoundError, StateError, Workspace
from mnist_tracking._aws.endpoints import wait_for_endpoint
from mnist_tracking._values.files import is_locked
from mnist_tracking.embedded import EmbeddedSageMaker

LOADING = "import os, threading\nprint(os.getpid())\nthreading.Event().wait()\n"
SERVING = """
import os
print(os.getpid())
def model_fn(model_dir): pass
def transform_fn(model, body, content_type, accept): return "[1.0]", "application/json"
"""
LOST = "was killed, or the machine was restarted"
KILLED = "The model server was killed by SIGKILL"


@pytest.fixture
def account(tmp_path: Path) -> Iterator[HostingAccount]:
    engine = EmbeddedSageMaker(tmp_path / "home")
    account = HostingAccount(engine)
    yield account
    account.delete_all()
    engine.close()


@pytest.fixture
def workspace(account: HostingAccount) -> Workspace:
    return Workspace.embedded(engine=account.engine)


def kill(account: HostingAccount, victims: str) -> None:
    """Kill processes of the endpoint without notice, the first named first."""
    pids = {"supervisor": account.row()["supervisor_pid"], "server": int(account.log()[0])}
    for victim in victims.split(" and "):
        with contextlib.suppress(ProcessLookupError):  # nothing outlives the supervisor
            os.kill(pids[victim], signal.SIGKILL)


@pytest.mark.parametrize(
    ("victims", "reason"), [("supervisor", LOST), ("server", KILLED), ("supervisor and server", LOST)]
)
def test_waiting_ends_when_the_processes_die(
    account: HostingAccount, workspace: Workspace, victims: str, reason: str
) -> None:
    """The error carries the end of the log."""
    account.make_model(script=LOADING)
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
    until(lambda: len(account.log()) == 1)
    kill(account, victims)

    with pytest.raises(JobFailedError, match=reason) as caught:
        wait_for_endpoint(workspace, "digits", timeout_s=60, outcome="")
    assert caught.value.log_tail == tuple(account.log())


def test_waiting_that_takes_too_long_shows_the_log(account: HostingAccount, workspace: Workspace) -> None:
    account.make_model(script=LOADING)
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
    until(lambda: len(account.log()) == 1)

    with pytest.raises(JobTimeoutError) as caught:
        wait_for_endpoint(workspace, "digits", timeout_s=0, outcome="It goes on.")
    assert caught.value.log_tail == tuple(account.log())


def test_waiting_for_an_endpoint_that_somebody_deletes_ends(account: HostingAccount, workspace: Workspace) -> None:
    account.make_model(script=LOADING)
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
    account.sagemaker.delete_endpoint(EndpointName="digits")

    with pytest.raises(NotFoundError, match="No endpoint named 'digits'"):
        wait_for_endpoint(workspace, "digits", timeout_s=60, outcome="")


def test_the_log_is_that_of_this_endpoint_not_of_one_before(account: HostingAccount, workspace: Workspace) -> None:
    account.deploy(script=SERVING)
    until(lambda: len(account.log()) == 1)
    account.sagemaker.delete_endpoint(EndpointName="digits")
    account.s3.put_object(Bucket="models", Key="digits", Body=b"this is no archive")
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")

    with pytest.raises(JobFailedError, match=r"model\.tar\.gz cannot be unpacked") as caught:
        wait_for_endpoint(workspace, "digits", timeout_s=60, outcome="")
    assert caught.value.log_tail == ()


def test_endpoint_whose_server_died_predicts_with_a_new_one(account: HostingAccount, workspace: Workspace) -> None:
    account.deploy(script=SERVING)
    until(lambda: len(account.log()) == 1)
    kill(account, "server")

    assert workspace.endpoint("digits").predict([1.0]).tolist() == [1.0]
    until(lambda: len(account.log()) == 2)


@pytest.mark.parametrize("victims", ["supervisor", "server and supervisor"])
def test_asking_an_endpoint_whose_processes_died_says_so(
    account: HostingAccount, workspace: Workspace, victims: str
) -> None:
    account.deploy(script=SERVING)
    until(lambda: len(account.log()) == 1)
    assert workspace.endpoint("digits").predict([1.0]).tolist() == [1.0]
    kill(account, victims)
    until(lambda: not is_locked(account.folder() / "supervisor.lock"))

    with pytest.raises(StateError, match=f"The endpoint 'digits' is Failed: .*{LOST}"):
        workspace.endpoint("digits").predict([1.0])
