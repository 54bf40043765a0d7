"""A deployment that is killed or interrupted after each of its calls: undone, or found by a cleanup."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationModel

from mnist_tracking import BestModelDeployer, ExperimentRunner, JobTimeoutError, Workspace
from mnist_tracking._aws.storage import sizes_below
from mnist_tracking.embedded import transport

SCRIPT = """
def model_fn(model_dir): return None
def transform_fn(model, body, content_type, accept): return body, content_type
"""
CHANGES = ("Create", "Put", "Update", "Add", "Associate")


@contextmanager
def after_call(number: int, act: Callable[[], object]) -> Iterator[list[str]]:
    """Act after the call of that number that changes something has been answered; yield the calls up to it."""
    calls: list[str] = []

    def observe(model: OperationModel, _response: object) -> None:
        if model.name.startswith(CHANGES) and len(calls) <= number:
            calls.append(model.name)
            if len(calls) == number + 1:
                act()

    transport.response_observers.append(observe)
    try:
        yield calls
    finally:
        transport.response_observers.remove(observe)


def trial_of(workspace: Workspace, tmp_path: Path, name: str) -> str:
    """Record a trial with a model and its script."""
    script = tmp_path / "serve.py"
    script.write_text(SCRIPT)
    with ExperimentRunner(workspace, "churn").trial(name=name) as trial:
        trial.log_model(script, entry_point=script)
    return trial.name


def hosted(workspace: Workspace) -> list[Any]:
    """Everything that a deployment creates and that costs money or has a name."""
    client = workspace.client("sagemaker")
    return [
        *client.list_endpoints()["Endpoints"],
        *client.list_endpoint_configs()["EndpointConfigs"],
        *client.list_models()["Models"],
        *(uri for uri in sizes_below(workspace, f"s3://{workspace.bucket_name}/") if "/models/" in uri),
    ]


def steps(workspace: Workspace) -> list[str]:
    """The recorded deployments."""
    components = workspace.client("sagemaker").list_trial_components(MaxResults=100)["TrialComponentSummaries"]
    return [each["TrialComponentName"] for each in components if "-deployment" in each["TrialComponentName"]]


def deploy(workspace: Workspace, trial: str) -> None:
    """Deploy a trial, and do not wait."""
    BestModelDeployer(workspace).deploy(trial, name="mine", wait=False, delete=False)


def killed_after(number: int, workspace: Workspace, trial: str) -> bool:
    """Deploy in a process that is killed after the call of that number; whether there were so many."""
    child = os.fork()
    if child == 0:
        with after_call(number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            deploy(workspace, trial)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def interrupted_after(number: int, workspace: Workspace, trial: str) -> list[str]:
    """Deploy, with an interrupt after the call of that number; return the calls up to it."""
    with after_call(number, lambda: signal.raise_signal(signal.SIGINT)) as calls:
        try:
            deploy(workspace, trial)
        except KeyboardInterrupt:
            assert len(calls) == number + 1
    return calls


def test_interrupted_deployment_leaves_nothing_but_its_step(workspace: Workspace, tmp_path: Path) -> None:
    """A request that was under way may end after the deletion; a cleanup finds what it creates by the step."""
    trial, number = trial_of(workspace, tmp_path, "t"), 0
    while len(calls := interrupted_after(number, workspace, trial)) == number + 1:
        assert hosted(workspace) == [], calls
        number += 1
    workspace.cleanup_plan("churn").execute()

    assert {"CreateModel", "CreateEndpointConfig", "CreateEndpoint", "AssociateTrialComponent"} <= set(calls)
    assert hosted(workspace) == steps(workspace) == []


def test_killed_deployment_is_found_by_a_cleanup(workspace: Workspace, tmp_path: Path) -> None:
    number, has_more = 0, True
    while has_more:
        trial = trial_of(workspace, tmp_path, f"t{number}")
        has_more = killed_after(number, workspace, trial)
        workspace.cleanup_plan("churn", trials=[trial]).execute()
        assert hosted(workspace) == steps(workspace) == [], number
        number += 1

    assert number > 6


def test_failed_deployment_leaves_no_step(workspace: Workspace, tmp_path: Path) -> None:
    trial = trial_of(workspace, tmp_path, "t")
    with pytest.raises(JobTimeoutError):
        BestModelDeployer(workspace).deploy(trial, timeout_s=0)

    assert hosted(workspace) == steps(workspace) == []
