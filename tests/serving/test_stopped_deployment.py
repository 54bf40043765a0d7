"""A deployment that is killed or interrupted after each of its calls: undone, or found by a cleanup."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.calls import interrupted_after, killed_after

from mnist_tracking import BestModelDeployer, ExperimentRunner, JobTimeoutError, Workspace
from mnist_tracking._aws.storage import sizes_below
from mnist_tracking.embedded import EmbeddedSageMaker, Fault

SCRIPT = """
def model_fn(model_dir): return None
def transform_fn(model, body, content_type, accept): return body, content_type
"""


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


def test_interrupted_deployment_leaves_nothing_but_its_step(workspace: Workspace, tmp_path: Path) -> None:
    """A request that was under way may end after the deletion; a cleanup finds what it creates by the step."""
    trial, number = trial_of(workspace, tmp_path, "t"), 0
    while len(calls := interrupted_after(number, partial(deploy, workspace, trial))) == number + 1:
        assert hosted(workspace) == [], calls
        number += 1
    workspace.cleanup_plan("churn").execute()

    assert {"CreateModel", "CreateEndpointConfig", "CreateEndpoint", "AssociateTrialComponent"} <= set(calls)
    assert hosted(workspace) == steps(workspace) == []


def test_killed_deployment_is_found_by_a_cleanup(workspace: Workspace, tmp_path: Path) -> None:
    number, has_more = 0, True
    while has_more:
        trial = trial_of(workspace, tmp_path, f"t{number}")
        has_more = killed_after(number, partial(deploy, workspace, trial))
        workspace.cleanup_plan("churn", trials=[trial]).execute()
        assert hosted(workspace) == steps(workspace) == [], number
        number += 1

    assert number > 6


def test_deployment_that_cannot_be_deleted_again_is_found_by_a_cleanup(
    engine: EmbeddedSageMaker, workspace: Workspace, tmp_path: Path
) -> None:
    """The error is the first one, and shows what may cost money."""
    trial = trial_of(workspace, tmp_path, "t")
    denied = Fault("AccessDeniedException", operation="DeleteEndpoint", times=None)
    with (
        engine.inject(denied),
        pytest.raises(JobTimeoutError, match=r"took longer than 0 s\. It could not be") as caught,
    ):
        BestModelDeployer(workspace).deploy(trial, name="mine", timeout_s=0)

    (note,) = caught.value.__notes__
    assert note.startswith("The endpoint 'mine' may exist, and cost money on AWS, until 'mnist-tracking undeploy mine'")
    assert ("endpoint", "mine") in {(item.kind, item.name) for item in workspace.cleanup_plan("churn").to_delete}
    workspace.cleanup_plan("churn").execute()
    assert hosted(workspace) == steps(workspace) == []


def test_failed_deployment_leaves_no_step(workspace: Workspace, tmp_path: Path) -> None:
    trial = trial_of(workspace, tmp_path, "t")
    with pytest.raises(JobTimeoutError):
        BestModelDeployer(workspace).deploy(trial, timeout_s=0)

    assert hosted(workspace) == steps(workspace) == []
