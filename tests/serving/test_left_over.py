"""What an interrupted deployment, or the deletion of an endpoint alone, leaves: it can be deleted by name."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mnist_tracking import AlreadyExistsError, BestModelDeployer, ExperimentRunner, NotFoundError, Workspace
from mnist_tracking.cli.app import cli
from mnist_tracking.embedded import EmbeddedSageMaker


@pytest.fixture
def trial(workspace: Workspace, script: Path) -> str:
    """The name of a trial with a model."""
    return make_trial(workspace, "churn", "baseline", script)


def make_trial(workspace: Workspace, experiment: str, name: str, script: Path) -> str:
    with ExperimentRunner(workspace, experiment).trial(name=name) as trial:
        trial.log_model(script, entry_point=script)
    return name


def deploy(workspace: Workspace, trial: str) -> None:
    BestModelDeployer(workspace).deploy(trial, name="mine", wait=False, delete=False)


def hosted(client: Any) -> list[int]:
    return [
        len(client.list_endpoints()["Endpoints"]),
        len(client.list_endpoint_configs()["EndpointConfigs"]),
        len(client.list_models()["Models"]),
    ]


@pytest.mark.parametrize("kinds", [["endpoint"], ["endpoint", "endpoint_config"], ["endpoint", "model"]])
def test_left_over_is_deleted_as_the_error_shows(
    workspace: Workspace, client: Any, trial: str, kinds: list[str]
) -> None:
    """The SDK's predictor, for one, deletes an endpoint without its model."""
    deploy(workspace, trial)
    for kind in kinds:
        getattr(client, f"delete_{kind}")(**{f"{kind.title().replace('_', '')}Name": "mine"})
    with pytest.raises(AlreadyExistsError, match=r"'mine' .* with workspace.endpoint\('mine'\).delete\(\) or "):
        deploy(workspace, trial)

    found = workspace.endpoint("mine")
    found.delete()
    assert (found.trial, hosted(client)) == (trial, [0, 0, 0])
    deploy(workspace, trial)
    workspace.endpoint("mine").delete()


def test_left_over_is_deleted_by_the_command(
    engine: EmbeddedSageMaker, workspace: Workspace, client: Any, trial: str
) -> None:
    deploy(workspace, trial)
    client.delete_endpoint(EndpointName="mine")
    arguments = ["--home", str(engine.home), "undeploy", "mine"]
    asked = CliRunner().invoke(cli, arguments, input="n\n")
    done = CliRunner().invoke(cli, [*arguments, "--yes"])

    assert "This deletes what an interrupted deployment left of endpoint 'mine'." in asked.output
    assert (done.exit_code, hosted(client)) == (0, [0, 0, 0])


def test_config_of_somebody_else_is_not_touched(workspace: Workspace, client: Any, trial: str) -> None:
    role = "arn:aws:iam::000000000000:role/r"
    client.create_model(ModelName="theirs", ExecutionRoleArn=role, PrimaryContainer={"Image": "image"})
    variant = {"VariantName": "v", "ModelName": "theirs", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    client.create_endpoint_config(EndpointConfigName="mine", ProductionVariants=[variant])
    with pytest.raises(AlreadyExistsError, match=r"config named 'mine' already exists\. Choose another"):
        deploy(workspace, trial)
    with pytest.raises(NotFoundError):
        workspace.endpoint("mine")

    assert hosted(client) == [0, 1, 1]


def test_cleanup_keeps_the_endpoint_that_another_experiment_deployed_by_the_same_name(
    workspace: Workspace, client: Any, trial: str, script: Path
) -> None:
    deploy(workspace, trial)
    workspace.endpoint("mine").delete()
    deploy(workspace, make_trial(workspace, "other", "theirs", script))
    report = workspace.cleanup_plan("churn").execute()

    assert not {kind for kind, _ in report.deleted} & {"endpoint", "endpoint config", "model"}
    assert hosted(client) == [1, 1, 1]
    workspace.cleanup_plan("other").execute()
    assert hosted(client) == [0, 0, 0]
