"""What a step records of parameters, metrics and places, and what it refuses."""

from typing import Any

import numpy as np
import pytest
from tests.support.recorded import component_of

from mnist_tracking import (
    ConfigError,
    ExperimentRunner,
    ServiceError,
    Workspace,
)


def test_a_step_is_read_back_as_it_was_recorded(recording: ExperimentRunner, workspace: Workspace) -> None:
    settings: dict[str, Any] = {"rows": 10_000, "share": 0.25, "source": "crm", "shuffled": True, "limit": None}
    with recording.step("Cleaning") as step:
        step.log_parameters(settings)
        step.log_input("raw", "s3://bucket/raw", media_type="text/csv")
        step.log_output("clean", "s3://bucket/clean")

    found = component_of(workspace, step)
    assert found.parameters == settings
    assert [(item.name, item.uri, item.media_type) for item in found.inputs] == [("raw", "s3://bucket/raw", "text/csv")]
    assert [(item.name, item.uri) for item in found.outputs] == [("clean", "s3://bucket/clean")]
    assert (found.display_name, found.status, found.tags["team"]) == ("Cleaning", "Completed", "cv")
    assert found.started is not None
    assert found.ended is not None
    assert found.started <= found.ended


def test_every_value_of_a_metric_is_kept(recording: ExperimentRunner, workspace: Workspace) -> None:
    values = [1.0 / (number + 1) for number in range(25)]
    with recording.trial(name="curve") as trial:
        for value in values:
            trial.log_metric("loss", value)
        trial.log_metrics({f"metric-{number}": float(number) for number in range(12)}, step=3)

    series = workspace.trial("curve").series()
    assert series["loss"].values == tuple(values)
    assert [point.step for point in series["loss"]] == list(range(25))
    assert [(point.step, point.value) for point in series["metric-11"]] == [(3, 11.0)]
    assert len(series["loss"].dataframe()) == 25


@pytest.mark.parametrize("value", ["high", None])
def test_a_metric_that_cannot_be_recorded_is_refused(recording: ExperimentRunner, value: Any) -> None:
    with recording.step("Evaluation") as step, pytest.raises(ConfigError, match="finite numbers only"):
        step.log_metric("f1", value)


def test_a_metric_that_the_service_drops_is_an_error(recording: ExperimentRunner, workspace: Workspace) -> None:
    client = workspace.client("sagemaker")
    with recording.step("Evaluation") as step:
        client.delete_trial_component(TrialComponentName=step.component_name)
        with pytest.raises(ServiceError, match="'f1' was not recorded"):
            step.log_metric("f1", 0.5)
        client.create_trial_component(TrialComponentName=step.component_name)


def test_parameters_that_are_no_mapping_are_refused(recording: ExperimentRunner) -> None:
    wrong: Any = [("C", 1.0)]
    with pytest.raises(ConfigError, match="expected a mapping"), recording.trial(wrong):
        pass
    with pytest.raises(ConfigError, match="expected a mapping"), recording.step("Cleaning") as step:
        step.log_parameters(wrong)


def test_what_is_refused_does_not_spoil_the_rest_of_a_step(recording: ExperimentRunner, workspace: Workspace) -> None:
    """What AWS refuses, and what botocore does; later calls go through, and the step ends as it should."""
    wrong: Any = 3
    with recording.step("Cleaning") as step:
        for name in ("x" * 400, wrong):
            with pytest.raises((ConfigError, ServiceError)):
                step.log_parameter(name, 1)
        with pytest.raises(ConfigError):
            step.log_input("raw", wrong)
        step.log_parameter("rows", 10)
    with pytest.raises(ConfigError), recording.step("Evaluation") as failed:
        failed.log_input("raw", wrong)

    assert (component_of(workspace, step).status, component_of(workspace, step).parameters) == (
        "Completed",
        {"rows": 10},
    )
    assert component_of(workspace, failed).status == "Failed"


@pytest.mark.parametrize("step", [-1, 1.5, "1", True])
def test_a_step_of_a_metric_is_a_whole_number(recording: ExperimentRunner, step: Any) -> None:
    with recording.step("Cleaning") as cleaning, pytest.raises(ConfigError, match="expected an integer >= 0"):
        cleaning.log_metric("loss", 0.5, step=step)


def test_metrics_that_are_no_mapping_of_numbers_are_refused(recording: ExperimentRunner) -> None:
    wrong: Any = [("loss", 0.5)]
    with recording.step("Cleaning") as step:
        with pytest.raises(ConfigError, match="expected a mapping"):
            step.log_metrics(wrong)
        step.log_metric("loss", 10**400)  # infinite, as a float
        step.log_metric("loss", 0.5, step=np.int64(3))  # type: ignore[arg-type]
