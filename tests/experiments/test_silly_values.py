"""What is none of what is possible: one clear error from the tree, and nothing is sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.sent import Sent
from tests.support.toy_job import TOY

from mnist_tracking import (
    BestModelDeployer,
    ConfigError,
    DatasetError,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    LineageTracer,
    Objective,
    Step,
    Workspace,
    mnist_job,
)

ANYTHING: Any = [3, "", "x" * 300, float("nan"), object()]
HERE = Path(__file__)
Use = Callable[[ExperimentRunner, Any], Any]
REFUSED: dict[str, Use] = {
    "workspace of a runner": lambda _, value: ExperimentRunner(value, "n"),
    "name of a runner": lambda runner, value: ExperimentRunner(runner.workspace, value),
    "runner of a sweep": lambda _, value: HyperparameterSweep(value, {"slope": [1]}),
    "space of a sweep": HyperparameterSweep,
    "workspace of a tracer": lambda _, value: LineageTracer(value),
    "workspace of a deployer": lambda _, value: BestModelDeployer(value),
    "type of a deployer": lambda runner, value: BestModelDeployer(runner.workspace, instance_type=value),
    "name of a step": lambda runner, value: runner.step(value),
    "name of a trial": lambda runner, value: runner.trial(name=value),
    "hyperparameters of a trial": lambda runner, value: runner.trial(value),
    "hyperparameters of a job": lambda runner, value: runner.submit(value),
    "data in S3": lambda runner, value: runner.use_dataset(value),
    "folder of data": lambda runner, value: runner.upload_dataset(value),
    "what is recorded of data": lambda runner, value: runner.upload_dataset(HERE.parent, parameters=value),
    "observer": lambda runner, value: runner.run(observer=value),
    "adapter": lambda _, value: JobSpec(HERE, adapter=value),
    "required inputs": lambda _, value: JobSpec(HERE, required_inputs=value),
    "dependencies": lambda _, value: JobSpec(HERE, dependencies=value),
    "environment": lambda _, value: JobSpec(HERE, environment=value),
    "type of a job": lambda _, value: JobSpec(HERE, instance_type=value),
    "metric of an objective": lambda _, value: Objective("" if value == "x" * 300 else value),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_before_anything_is_sent(runner: ExperimentRunner, sent: Sent, what: str) -> None:
    before = len(sent)
    for value in ANYTHING:
        with pytest.raises((ConfigError, DatasetError)) as caught:
            REFUSED[what](runner, value)
        assert len(str(caught.value)) < 400

    assert len(sent) == before


STEP: dict[str, Callable[[Step, Any], Any]] = {
    "parameter": lambda step, value: step.log_parameter(value, 1),
    "metric": lambda step, value: step.log_metric(value, 1),
    "input": lambda step, value: step.log_input(value, "s3://bucket/key"),
    "artifact": lambda step, value: step.log_artifact(HERE, name=value),
    "table": lambda step, value: step.log_table({"x": [1]}, name=value),
    "file": lambda step, value: step.log_artifact(value),
    "columns": lambda step, value: step.log_table(value),
    "uneven columns": lambda step, _: step.log_table({"x": [1, 2], "y": [1]}),
    "place": lambda step, value: step.log_output("x", value if value != "x" * 400 else "two\nlines"),
    "media type": lambda step, value: step.log_artifact(HERE, media_type=value or "/"),
}


def test_a_step_refuses_it_before_anything_is_sent(runner: ExperimentRunner, sent: Sent) -> None:
    with runner.step("Cleaning") as step:
        before = len(sent)
        for what, use in STEP.items():
            for value in ([1], 3, "", "x" * 400):
                with pytest.raises(ConfigError):
                    use(step, value)
                assert len(sent) == before, what


def test_data_that_are_not_there_are_one_error_wherever_they_are_looked_for(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "digits", job=mnist_job())
    for look in (runner.prepare_dataset, runner.upload_dataset):
        with pytest.raises(DatasetError, match="nope"):
            look("nope")
        with pytest.raises(DatasetError, match=r"x{300}"):  # longer than any file system takes
            look("x" * 300)
    with pytest.raises(DatasetError, match="nope"):
        runner.upload_dataset("nope", fingerprint="abc")
    with pytest.raises(ConfigError, match="is not below the folder"):
        runner.upload_dataset(TOY, files=[HERE])


def test_a_job_without_the_data_that_it_needs_is_refused_before_anything_is_sent(
    runner: ExperimentRunner, sent: Sent
) -> None:
    digits = ExperimentRunner(runner.workspace, "digits", job=mnist_job(epochs=1))
    sweep = HyperparameterSweep(digits, {"hidden_channels": [2, 5]})
    before = len(sent)
    for start in (digits.submit, digits.run, sweep.run):
        with pytest.raises(ConfigError, match=r"needs the input 'training'.*prepare_dataset\(\)"):
            start()

    assert len(sent) == before
