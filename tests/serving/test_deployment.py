"""Deploying what does not work: a clear error, with the end of the endpoint's log, and nothing left."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_tracking import (
    AlreadyExistsError,
    BestModelDeployer,
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobFailedError,
    JobSpec,
    JobTimeoutError,
    Leaderboard,
    NotFoundError,
    ServiceError,
    StateError,
    Trial,
    Workspace,
)
from mnist_tracking._aws.storage import sizes_below, split_uri

TRAIN = """
if __name__ == "__main__":
    import os, pathlib
    pathlib.Path(os.environ["SM_MODEL_DIR"], "weights").write_text("1")
"""
Train = Callable[..., Trial]


@pytest.fixture
def train(workspace: Workspace, tmp_path: Path) -> Train:
    """Trains a trial with a script of its own, whose handlers the endpoint then gets."""

    def run(script: str = "") -> Trial:
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        (source / "train.py").write_text(script + TRAIN)
        job = JobSpec(entry_point="train.py", source_dir=source)
        return ExperimentRunner(workspace, "scripts", job=job).run()

    return run


def left(workspace: Workspace, trial: Trial) -> list[str]:
    """Everything of hosting that there is: endpoints, configurations, models and their packed archives."""
    client = workspace.client("sagemaker")
    found = [
        *(e["EndpointName"] for e in client.list_endpoints()["Endpoints"]),
        *(c["EndpointConfigName"] for c in client.list_endpoint_configs()["EndpointConfigs"]),
        *(m["ModelName"] for m in client.list_models()["Models"]),
    ]
    assert trial.model_uri is not None
    return [*found, *sizes_below(workspace, trial.model_uri.rsplit("/jobs/", 1)[0] + "/models/")]


@pytest.mark.parametrize(
    ("script", "last_line"),
    [
        ("def model_fn(model_dir): raise RuntimeError('no weights')", "RuntimeError: no weights"),
        ("def model_fn(model_dir): import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def model_fn(model_dir): import os; print('bye', flush=True); os._exit(3)", "bye"),
        ("", "Otherwise the script needs a model_fn."),
    ],
)
def test_a_model_that_does_not_load_is_told_with_the_end_of_its_log(
    workspace: Workspace, train: Train, script: str, last_line: str
) -> None:
    trial = train(script)

    with pytest.raises(JobFailedError, match="did not pass the ping health check") as caught:
        BestModelDeployer(workspace).deploy(trial)
    assert caught.value.log_tail[-1].endswith(last_line)
    assert last_line in caught.value.reason
    assert left(workspace, trial) == []


def test_a_model_that_takes_too_long_is_given_up(workspace: Workspace, train: Train) -> None:
    trial = train("import threading\ndef model_fn(model_dir): threading.Event().wait()")

    with pytest.raises(JobTimeoutError, match=r"took longer than 0 s\. It was deleted again\."):
        BestModelDeployer(workspace).deploy(trial, timeout_s=0)
    assert left(workspace, trial) == []


@pytest.mark.parametrize("what", ["model_uri", "code_uri"])
def test_an_archive_that_cannot_be_read_is_named(workspace: Workspace, train: Train, what: str) -> None:
    trial = train()
    bucket, key = split_uri(getattr(trial, what))
    workspace.client("s3").put_object(Bucket=bucket, Key=key, Body=b"this is no archive")

    with pytest.raises(StateError, match="cannot be packed with its code"):
        BestModelDeployer(workspace).deploy(trial)
    assert left(workspace, trial) == []


@pytest.mark.parametrize("what", ["model_uri", "code_uri"])
def test_an_archive_that_is_gone_is_named(workspace: Workspace, train: Train, what: str) -> None:
    trial = train()
    bucket, key = split_uri(getattr(trial, what))
    workspace.client("s3").delete_object(Bucket=bucket, Key=key)

    with pytest.raises(NotFoundError, match="No object named 's3://") as caught:
        BestModelDeployer(workspace).deploy(trial)
    assert caught.value.name == getattr(trial, what)
    assert left(workspace, trial) == []


def test_an_instance_type_that_does_not_exist_is_refused(workspace: Workspace, train: Train) -> None:
    trial = train()

    with pytest.raises(ConfigError, match="instance_type='huge'; expected a SageMaker instance type"):
        BestModelDeployer(workspace, instance_type="huge").deploy(trial)
    assert left(workspace, trial) == []


def test_without_a_completed_trial_each_ones_fate_is_told(runner: ExperimentRunner, workspace: Workspace) -> None:
    for name, behaviour in (("first", "exit"), ("second", "raise")):
        with pytest.raises(JobFailedError):
            runner.run({"behaviour": behaviour}, name=name)
    board = Leaderboard.load(workspace, "lines", objective="score")

    with pytest.raises(StateError, match="first is Failed, second is Failed"):
        BestModelDeployer(workspace).deploy(board)
    with pytest.raises(StateError, match="first is Failed, second is Failed"):
        BestModelDeployer(workspace).deploy("lines", objective="score")


def test_the_best_trial_of_an_experiment_is_deployed(runner: ExperimentRunner, workspace: Workspace) -> None:
    HyperparameterSweep(runner, {"slope": [8.0, 1.0]}).run()

    with BestModelDeployer(workspace).deploy("lines", objective="score") as endpoint:
        assert endpoint.predict([1.0]).tolist() == [7.0]
    with pytest.raises(NotFoundError, match="No experiment named 'line'"):
        BestModelDeployer(workspace).deploy("line", objective="score")
    with pytest.raises(ConfigError, match="needs the name of an experiment"):
        BestModelDeployer(workspace).deploy(Leaderboard.load(workspace, "lines"), objective="score")


def test_a_taken_name_is_refused_and_its_endpoint_untouched(runner: ExperimentRunner, workspace: Workspace) -> None:
    first, second = runner.run({"slope": 1.0}), runner.run({"slope": 8.0})
    deployer = BestModelDeployer(workspace)
    with deployer.deploy(first, name="mine") as endpoint:
        before = left(workspace, first)
        with pytest.raises(AlreadyExistsError, match="An endpoint named 'mine' already exists"):
            deployer.deploy(second, name="mine")

        assert left(workspace, first) == before
        assert endpoint.predict([8.0]).tolist() == [7.0]
    assert left(workspace, first) == []


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("CreateModel", "mine"),
        ("CreateEndpointConfig", "mine"),
        ("CreateEndpoint", "mine"),
        ("DescribeEndpoint", None),
        ("ListTags", None),
        ("CreateTrialComponent", None),
        ("AssociateTrialComponent", None),
    ],
)
def test_an_interrupt_leaves_nothing(
    runner: ExperimentRunner, workspace: Workspace, operation: str, name: str | None, tmp_path: Path
) -> None:
    trial, events = runner.run({"slope": 1.0}), workspace.client("sagemaker").meta.events
    interrupted: list[str] = []

    def interrupt(**_: Any) -> None:
        if not interrupted:
            interrupted.append(operation)
            signal.raise_signal(signal.SIGINT)

    events.register(f"after-call.sagemaker.{operation}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        BestModelDeployer(workspace).deploy(trial, name=name)

    assert interrupted == [operation]
    assert left(workspace, trial) == []
    assert list((tmp_path / "home").glob("endpoints/*")) == []


def test_predicting_after_deletion_says_that_it_is_gone(runner: ExperimentRunner, workspace: Workspace) -> None:
    trial = runner.run({"slope": 1.0})
    with BestModelDeployer(workspace).deploy(trial, name="mine") as endpoint:
        pass

    with pytest.raises(NotFoundError, match="No endpoint named 'mine'"):
        endpoint.predict(np.ones(1))
    endpoint.delete()


RAISES = """
def model_fn(model_dir): return None
def input_fn(body, content_type): return None
def predict_fn(data, model): raise RuntimeError("too many fingers")
def output_fn(prediction, accept): return prediction
"""


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (RAISES, "too many fingers"),
        (RAISES.replace("raise RuntimeError", "return "), r"the response has the content type application/x-npy"),
        (RAISES.replace("raise RuntimeError(", "return (").replace("prediction\n", "'', 'text/html'\n"), "text/html"),
    ],
)
def test_a_model_that_fails_to_answer_is_a_service_error(
    workspace: Workspace, train: Train, script: str, message: str
) -> None:
    with (
        BestModelDeployer(workspace).deploy(train(script)) as endpoint,
        pytest.raises(ServiceError, match=message),
    ):
        endpoint.predict(np.ones(1))


def test_what_is_no_array_is_refused_before_anything_is_sent(runner: ExperimentRunner, workspace: Workspace) -> None:
    with BestModelDeployer(workspace).deploy(runner.run({"slope": 1.0})) as endpoint:
        with pytest.raises(ConfigError, match="not an array"):
            endpoint.predict([[1.0], [1.0, 2.0]])
        with pytest.raises(ConfigError, match="Python objects cannot be sent"):
            endpoint.predict(np.array([object()]))


def test_two_endpoints_answer_at_once(runner: ExperimentRunner, workspace: Workspace) -> None:
    deployer = BestModelDeployer(workspace)
    first, second = runner.run({"slope": 1.0}), runner.run({"slope": 8.0})
    with deployer.deploy(first) as one, deployer.deploy(second) as other:
        assert [float(endpoint.predict([8.0])[0]) for endpoint in (one, other, one)] == [7.0, 56.0, 7.0]


def test_an_experiment_without_an_objective_says_what_is_missing(workspace: Workspace) -> None:
    with ExperimentRunner(workspace, "shared").trial(name="first"):
        pass

    with pytest.raises(ConfigError, match="'shared' is an experiment"):
        BestModelDeployer(workspace).deploy("shared")
