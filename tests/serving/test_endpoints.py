"""What is said of an endpoint when it is deployed, and one that is found again by its name."""

from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import (
    BestModelDeployer,
    ConfigError,
    ExperimentRunner,
    JobFailedError,
    JobSpec,
    JobTimeoutError,
    NotFoundError,
    StateError,
    Workspace,
)
from mnist_tracking.embedded import EmbeddedSageMaker, Lag

ECHO = """
def model_fn(model_dir): pass
def transform_fn(model, body, content_type, accept): return "[1, 2]", "application/json"
"""


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """A script that answers the same to everything."""
    script = tmp_path / "echo.py"
    script.write_text(ECHO)
    return script


@pytest.fixture
def trial(workspace: Workspace, echo: Path) -> str:
    """The name of a trial with a model."""
    with ExperimentRunner(workspace, "churn").trial(name="baseline") as local:
        local.log_model(echo, entry_point=echo)
    return local.name


def endpoints(workspace: Workspace) -> list[str]:
    return [endpoint["EndpointName"] for endpoint in workspace.client("sagemaker").list_endpoints()["Endpoints"]]


def make_foreign_endpoint(workspace: Workspace, trial: str) -> None:
    """Make one with the model of another, by hand, as somebody else would."""
    client = workspace.client("sagemaker")
    BestModelDeployer(workspace).deploy(trial, name="ours")
    variant = {"VariantName": "v", "ModelName": "ours", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    client.create_endpoint_config(EndpointConfigName="theirs", ProductionVariants=[variant])
    client.create_endpoint(EndpointName="theirs", EndpointConfigName="theirs")


def test_an_endpoint_may_be_kept_and_is_found_again(workspace: Workspace, trial: str) -> None:
    with BestModelDeployer(workspace).deploy(trial, name="kept", delete=False):
        pass

    with workspace.endpoint("kept") as found:
        assert (found.name, found.trial, found.status) == ("kept", "baseline", "InService")
        assert found.predict([1.0]).tolist() == [1.0, 2.0]
    assert endpoints(workspace) == ["kept"]
    found.delete()
    assert endpoints(workspace) == []
    assert workspace.client("sagemaker").list_models()["Models"] == []
    with pytest.raises(NotFoundError, match="No endpoint named 'kept'"):
        found.status  # noqa: B018 - asks


def test_looking_an_endpoint_up_writes_nothing(workspace: Workspace, trial: str) -> None:
    asked: list[str] = []
    with BestModelDeployer(workspace).deploy(trial, name="kept"):
        events = workspace.client("sagemaker").meta.events
        events.register("before-call.sagemaker.*", lambda model, **_: asked.append(model.name))
        with workspace.endpoint("kept") as found:
            found.status  # noqa: B018 - asks

        assert asked == ["DescribeEndpoint", "ListTags", "DescribeEndpoint"]


def test_an_unknown_endpoint_names_those_that_there_are(workspace: Workspace, trial: str) -> None:
    with BestModelDeployer(workspace).deploy(trial, name="digits"):
        for wrong in ("digit", "no such name!"):
            with pytest.raises(NotFoundError, match=r"\. Existing: 'digits'\."):
                workspace.endpoint(wrong)


def test_of_somebody_elses_endpoint_the_model_and_the_configuration_stay(workspace: Workspace, trial: str) -> None:
    make_foreign_endpoint(workspace, trial)
    theirs, client = workspace.endpoint("theirs", serializer="json"), workspace.client("sagemaker")
    client.create_model(ModelName="theirs", PrimaryContainer={"Image": "i"}, ExecutionRoleArn=workspace.role)

    assert (theirs.trial, repr(theirs)) == (None, "<Endpoint 'theirs'>")
    assert theirs.wait().predict(0) == [1, 2]
    theirs.delete()
    theirs.delete()
    assert endpoints(workspace) == ["ours"]
    assert client.describe_endpoint_config(EndpointConfigName="theirs")["EndpointConfigName"] == "theirs"
    assert client.describe_model(ModelName="theirs")["ModelName"] == "theirs"
    workspace.endpoint("ours").delete()


def test_one_need_not_wait(workspace: Workspace, trial: str) -> None:
    with BestModelDeployer(workspace).deploy(trial, wait=False) as endpoint:
        assert endpoint.status in ("Creating", "InService")
        assert endpoint.wait().predict([0.0]).tolist() == [1.0, 2.0]
        deployment = workspace.trial(trial).steps[-1]
        assert deployment.outputs[0].uri.endswith(f":endpoint/{endpoint.name}")
    assert endpoints(workspace) == []


def test_waiting_later_for_what_fails_leaves_it_to_the_caller(workspace: Workspace, trial: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def model_fn(model_dir): raise RuntimeError('no weights')")
    with BestModelDeployer(workspace).deploy(trial, entry_point=wrong, wait=False) as endpoint:
        with pytest.raises(JobFailedError, match="no weights") as caught:
            endpoint.wait()
        assert caught.value.log_tail[-1] == "RuntimeError: no weights"
        assert endpoint.status == "Failed"
        with pytest.raises(StateError, match="is Failed"):
            endpoint.predict([0.0])
    assert endpoints(workspace) == []


def test_waiting_later_for_too_long_leaves_it_there(workspace: Workspace, trial: str, tmp_path: Path) -> None:
    loading = tmp_path / "loading.py"
    loading.write_text("import threading\nthreading.Event().wait()\n")
    with BestModelDeployer(workspace).deploy(trial, entry_point=loading, wait=False) as endpoint:
        with pytest.raises(JobTimeoutError, match=r"took longer than 0 s\. It may still start"):
            endpoint.wait(timeout_s=0)
        assert endpoint.status == "Creating"
    assert endpoints(workspace) == []


def test_what_it_runs_on_is_said_once_or_each_time(workspace: Workspace, trial: str) -> None:
    """And recorded with the deployment."""
    client = workspace.client("sagemaker")
    with BestModelDeployer(workspace, instance_type="ml.c5.large").deploy(
        trial,
        name="big",
        instance_type="ml.g5.xlarge",
        instance_count=2,
        image_uri="111122223333.dkr.ecr.us-east-1.amazonaws.com/mine:1",
    ):
        config = client.describe_endpoint_config(EndpointConfigName="big")["ProductionVariants"][0]
        model = client.describe_model(ModelName="big")["PrimaryContainer"]
        recorded = workspace.trial(trial).steps[-1].parameters

    assert (config["InstanceType"], config["InitialInstanceCount"]) == ("ml.g5.xlarge", 2)
    assert model["Image"] == "111122223333.dkr.ecr.us-east-1.amazonaws.com/mine:1"
    assert model["Environment"]["SAGEMAKER_PROGRAM"] == "echo.py"
    assert recorded == {"endpoint_name": "big", "instance_type": "ml.g5.xlarge", "instance_count": 2}


def test_a_container_that_answers_by_itself_needs_no_script(workspace: Workspace, echo: Path) -> None:
    """The model goes to it as it was uploaded. (Here the container is not run, so this endpoint fails to start.)"""
    with ExperimentRunner(workspace, "churn").trial() as trial:
        uri = trial.log_model(echo)
    with BestModelDeployer(workspace).deploy(trial.name, name="own", image_uri="mine", wait=False):
        model = workspace.client("sagemaker").describe_model(ModelName="own")["PrimaryContainer"]

    assert (model["Image"], model["ModelDataUrl"]) == ("mine", uri)
    assert workspace.client("s3").head_object(Bucket=workspace.bucket, Key=uri.split("/", 3)[3])["ContentLength"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"instance_count": 0}, ConfigError, "instance_count=0; expected an integer >= 1"),
        ({"image_uri": 5}, ConfigError, "image_uri=5; expected a string"),
        ({"instance_count": True}, ConfigError, "instance_count=True"),
        ({"serializer": "xml"}, ConfigError, "serializer='xml'; expected one of 'numpy', 'json', 'csv', 'bytes'"),
        ({"deserializer": 3}, ConfigError, r"deserializer=3; .* or an object with the method deserialize\(\)"),
        ({"name": "a_b"}, ConfigError, "endpoint name 'a_b'"),
    ],
)
def test_what_cannot_be_deployed_leaves_nothing(
    workspace: Workspace, trial: str, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    client = workspace.client("sagemaker")
    with pytest.raises(error, match=message):
        BestModelDeployer(workspace).deploy(trial, **arguments)

    assert client.list_models()["Models"] == []
    assert client.list_endpoint_configs()["EndpointConfigs"] == []
    assert [c.display_name for c in workspace.trial(trial).steps] == ["Training"]


def test_a_script_of_ones_own_takes_the_place_of_the_trained_one(runner: ExperimentRunner, echo: Path) -> None:
    trial = runner.run({"slope": 1.0})

    with BestModelDeployer(runner.workspace).deploy(trial, entry_point=echo) as endpoint:
        assert endpoint.predict([8.0]).tolist() == [1.0, 2.0]


def test_a_trained_script_in_a_folder_below_is_refused_with_what_would_do(workspace: Workspace, tmp_path: Path) -> None:
    """A job runs it; SageMaker's SDK gives an endpoint the bare name, which is not there."""
    script = tmp_path / "source" / "jobs" / "train.py"
    script.parent.mkdir(parents=True)
    script.write_text("import os, pathlib\npathlib.Path(os.environ['SM_MODEL_DIR'], 'a').write_text('')\n" + ECHO)
    job = JobSpec(entry_point="jobs/train.py", source_dir=tmp_path / "source")
    trial = ExperimentRunner(workspace, "scripts", job=job).run()

    with pytest.raises(StateError, match=r"trained by 'jobs/train\.py', but an endpoint needs a script at the top"):
        BestModelDeployer(workspace).deploy(trial)
    with BestModelDeployer(workspace).deploy(trial, entry_point=script) as endpoint:
        assert endpoint.predict([0.0]).tolist() == [1.0, 2.0]


def test_probabilities_go_with_the_cnn_alone(workspace: Workspace, trial: str) -> None:
    with (
        BestModelDeployer(workspace).deploy(trial, name="plain") as endpoint,
        pytest.raises(ConfigError, match="got 'probabilities', but 'plain' has no adapter that takes options"),
    ):
        endpoint.predict([0.0], probabilities=True)


def test_a_trial_that_has_just_ended_is_deployed_though_search_is_behind(tmp_path: Path, echo: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home", lag=Lag(search_s=3600))
    with Workspace.embedded(engine=engine) as workspace:
        with ExperimentRunner(workspace, "churn").trial() as trial:
            trial.log_model(echo, entry_point=echo)
        with BestModelDeployer(workspace).deploy(trial.name) as endpoint:
            assert endpoint.predict([0.0]).tolist() == [1.0, 2.0]
