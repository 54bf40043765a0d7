"""`BestModelDeployer.plan`: it checks what a deployment checks, and creates nothing."""

from typing import Any

import pytest

from mnist_tracking import BestModelDeployer, ExperimentRunner, MnistTrackingError, Workspace


def test_a_plan_names_what_would_be_created(runner: ExperimentRunner, workspace: Workspace) -> None:
    trial = runner.run({"slope": 1.0}, name="flat")
    plan = BestModelDeployer(workspace).plan(trial, name="toy", serializer="json")

    assert (plan.name, plan.trial.name, plan.model_uri, plan.adapter) == ("toy", "flat", trial.model_uri, "json")
    assert (plan.instance_type, plan.instance_count) == ("ml.m5.large", 1)
    assert not workspace.client("sagemaker").list_endpoints()["Endpoints"]
    assert not workspace.client("sagemaker").list_models()["Models"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "nothing"},
        {"target": "lines", "objective": "scroe"},
        {"name": "in_valid"},
        {"name": "taken"},
        {"instance_type": "huge"},
        {"instance_count": 0},
        {"entry_point": "nowhere.py"},
        {"source_dir": "nowhere"},
        {"serializer": "xml"},
    ],
)
def test_it_raises_what_the_deployment_raises(
    runner: ExperimentRunner, workspace: Workspace, wrong: dict[str, Any]
) -> None:
    runner.run({"slope": 1.0}, name="flat")
    workspace.client("sagemaker").create_model(
        ModelName="taken", ExecutionRoleArn=workspace.role, PrimaryContainer={"Image": "x"}
    )
    deployer, arguments = BestModelDeployer(workspace), {"target": "flat", **wrong}
    with pytest.raises(MnistTrackingError) as planned:
        deployer.plan(**arguments)
    with pytest.raises(MnistTrackingError) as deployed:
        deployer.deploy(**arguments)

    assert (type(planned.value), str(planned.value)) == (type(deployed.value), str(deployed.value))
    assert not workspace.client("sagemaker").list_endpoints()["Endpoints"]


def test_a_model_that_is_gone_is_found_out(runner: ExperimentRunner, workspace: Workspace) -> None:
    trial = runner.run({"slope": 1.0})
    assert trial.model_uri is not None
    bucket, _, key = trial.model_uri.removeprefix("s3://").partition("/")
    workspace.client("s3").delete_object(Bucket=bucket, Key=key)
    with pytest.raises(MnistTrackingError, match=r"model\.tar\.gz"):
        BestModelDeployer(workspace).plan(trial)
