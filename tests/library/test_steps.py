"""Steps and trials that a program records of its own work."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mnist_tracking import (
    AlreadyExistsError,
    BestModelDeployer,
    ConfigError,
    ExperimentRunner,
    Leaderboard,
    LineageTracer,
    NotFoundError,
    ServiceError,
    Workspace,
)
from mnist_tracking.records import Component
from mnist_tracking.steps import Step


@pytest.fixture
def recording(workspace: Workspace) -> ExperimentRunner:
    """A runner without a job."""
    return ExperimentRunner(workspace, "churn", tags={"team": "cv"})


def component_of(workspace: Workspace, step: Step) -> Component:
    trials = workspace.client("sagemaker").search(
        Resource="ExperimentTrialComponent",
        SearchExpression={"Filters": [{"Name": "TrialComponentName", "Value": step.component_name}]},
    )
    from mnist_tracking._sagemaker.convert import component_from_aws

    return component_from_aws(trials["Results"][0]["TrialComponent"])


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


def test_a_step_is_in_progress_inside_its_block_and_shows_what_was_logged_so_far(
    recording: ExperimentRunner, workspace: Workspace
) -> None:
    with recording.step("Cleaning") as step:
        step.log_parameter("rows", 5)

        found = component_of(workspace, step)

    assert (found.status, found.parameters, found.ended) == ("InProgress", {"rows": 5}, None)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("no rows"), "Failed", "no rows"),
        (ValueError(), "Failed", "ValueError"),
        (ValueError("x" * 3000), "Failed", "x" * 1024),
        (KeyboardInterrupt(), "Stopped", "KeyboardInterrupt"),
    ],
)
def test_an_exception_is_recorded_and_goes_on(
    recording: ExperimentRunner, workspace: Workspace, error: BaseException, status: str, message: str
) -> None:
    with pytest.raises(type(error)), recording.step("Cleaning") as step:
        raise error

    found = component_of(workspace, step)
    assert (found.status, found.message) == (status, message)


def test_an_exception_is_not_hidden_by_a_step_that_cannot_be_ended(
    recording: ExperimentRunner, workspace: Workspace
) -> None:
    def fail() -> None:
        with recording.step("Cleaning") as step:
            workspace.client("sagemaker").delete_trial_component(TrialComponentName=step.component_name)
            raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows") as caught:
        fail()

    assert "could not be marked Failed" in caught.value.__notes__[0]


def test_a_killed_program_leaves_what_it_had_logged_and_is_not_taken_for_done(
    recording: ExperimentRunner, workspace: Workspace, tmp_path: Path
) -> None:
    code = f"""
import os, signal
from mnist_tracking import ExperimentRunner, Workspace
with ExperimentRunner(Workspace.embedded({str(tmp_path / "home")!r}), "churn").step("Cleaning") as step:
    step.log_parameter("rows", 7)
    step.log_metric("dropped", 3)
    print(step.component_name, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ})

    assert done.returncode == -signal.SIGKILL, done.stderr
    told = workspace.client("sagemaker").describe_trial_component(TrialComponentName=done.stdout.strip())
    assert told["Status"]["PrimaryStatus"] == "InProgress"
    assert told["Parameters"] == {"rows": {"NumberValue": 7.0}}
    assert told["Metrics"][0]["Last"] == 3


def test_steps_are_attached_to_the_trials_that_follow_the_latest_of_each_name(
    recording: ExperimentRunner, workspace: Workspace
) -> None:
    with recording.trial(name="before"):
        pass
    with recording.step("Cleaning"):
        pass
    with recording.step("Cleaning") as second, recording.trial(name="inside"):
        pass
    with pytest.raises(ValueError, match="no"), recording.step("Cleaning"):
        raise ValueError("no")
    again = ExperimentRunner(workspace, "churn")
    with again.trial(name="after"):
        pass

    steps = {
        name: [c.name for c in workspace.trial(name).components if c.display_name == "Cleaning"]
        for name in ("before", "inside", "after")
    }
    assert steps == {"before": [], "inside": [second.component_name], "after": [second.component_name]}


def test_a_step_of_a_trial_belongs_to_that_one_only(recording: ExperimentRunner, workspace: Workspace) -> None:
    for name in ("first", "second"):
        with recording.trial(name=name):
            pass
    with recording.step("Evaluation", trial="first") as step:
        step.log_metric("f1", 0.97)
    with recording.trial(name="third"):
        pass

    found = component_of(workspace, step)
    assert found.trials == ("first",)
    with pytest.raises(NotFoundError, match="Existing: 'first'"), recording.step("Evaluation", trial="firs"):
        pass


def test_every_value_of_a_metric_is_kept(recording: ExperimentRunner, workspace: Workspace) -> None:
    values = [1.0 / (number + 1) for number in range(25)]
    with recording.trial(name="curve") as trial:
        for value in values:
            trial.log_metric("loss", value)
        trial.log_metrics({f"metric-{number}": float(number) for number in range(12)}, step=3)

    series = workspace.trial("curve").metrics()
    assert series["loss"].values == tuple(values)
    assert [point.step for point in series["loss"]] == list(range(25))
    assert [(point.step, point.value) for point in series["metric-11"]] == [(3, 11.0)]
    assert len(series["loss"].dataframe()) == 25


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "high", None])
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


@pytest.mark.parametrize("value", [float("nan"), [1, 2], "x" * 2501, object()])
def test_a_parameter_that_cannot_be_recorded_is_refused_before_a_trial_is_made(
    recording: ExperimentRunner, workspace: Workspace, value: Any
) -> None:
    with pytest.raises(ConfigError, match="'C' is"), recording.trial({"C": value}, name="never"):
        pass

    with pytest.raises(NotFoundError):
        workspace.trial("never")


def test_files_tables_and_charts_are_uploaded_and_recorded(
    recording: ExperimentRunner, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "cm.v1.png").write_bytes(b"picture")
    with recording.step("Evaluation") as step:
        step.log_artifact(tmp_path / "cm.v1.png")
        step.log_table({"class": ["a", "b"], "f1": [0.5, 0.25]}, name="per class")
        step.log_confusion_matrix([0, 1, 1], [0, 1, 0])
        step.log_roc_curve([0, 1, 1], [0.1, 0.8, 0.4])
        step.log_precision_recall([0, 1, 1], [0.1, 0.8, 0.4])

    found = {item.name: item for item in component_of(workspace, step).outputs}
    assert sorted(found) == ["cm-v1-png", "confusion-matrix", "per-class", "precision-recall", "roc-curve"]
    assert found["cm-v1-png"].media_type == "image/png"
    bucket, key = found["cm-v1-png"].uri.removeprefix("s3://").split("/", 1)
    assert key.startswith("mnist-tracking/churn/steps/")
    assert workspace.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"picture"


def test_arrays_and_frames_are_recorded_whole(recording: ExperimentRunner, workspace: Workspace) -> None:
    """Also a frame whose index has the same value twice, as one of `pandas.concat` has."""
    labels, wrong = np.array([0, 1, 1]), np.array([2, 5])
    with recording.step("Evaluation") as step:
        step.log_table({"item": wrong, "score": wrong / 2}, name="arrays")
        step.log_table(pd.concat([pd.DataFrame({"item": [number]}) for number in (2, 5)]), name="frame")
        step.log_confusion_matrix(labels, pd.Series([0, 1, 0]))
        step.log_roc_curve(labels, wrong[[0, 1, 1]] / 10)

    found = {item.name: item.uri for item in component_of(workspace, step).outputs}
    assert read_json(workspace, found["arrays"])["data"] == {"item": [2, 5], "score": [1.0, 2.5]}
    assert read_json(workspace, found["frame"])["data"] == {"item": [2, 5]}
    assert read_json(workspace, found["confusion-matrix"])["confusionMatrix"] == [[1, 0], [1, 1]]


def read_json(workspace: Workspace, uri: str) -> Any:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return json.load(workspace.client("s3").get_object(Bucket=bucket, Key=key)["Body"])


def test_a_file_never_replaces_another_one_in_silence(recording: ExperimentRunner, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cm.png").write_text(folder)

    with recording.step("Evaluation") as step:
        step.log_artifact(tmp_path / "a" / "cm.png")
        with pytest.raises(ConfigError, match="would replace"):
            step.log_artifact(tmp_path / "b" / "cm.png", name="other")
        with pytest.raises(ConfigError, match="is no file"):
            step.log_artifact(tmp_path / "c.png")


def test_a_local_trial_is_on_the_leaderboard(recording: ExperimentRunner, workspace: Workspace) -> None:
    for strength, accuracy in ((0.1, 0.8), (1.0, 0.9)):
        with recording.trial({"C": strength}) as trial:
            trial.log_metric("validation:accuracy", accuracy)
    with pytest.raises(ZeroDivisionError), recording.trial({"C": 0.0}, name="broken"):
        raise ZeroDivisionError("no strength")

    board = Leaderboard.load(workspace, "churn", objective="validation:accuracy")
    assert [(row.hyperparameters["C"], row.status) for row in board] == [
        (1, "Completed"),
        (0.1, "Completed"),
        (0, "Failed"),
    ]
    assert board[2].failure_reason == "no strength"
    with pytest.raises(AlreadyExistsError), recording.trial(name="broken"):
        pass


def test_steps_of_one_name_may_go_on_at_once(recording: ExperimentRunner, workspace: Workspace) -> None:
    """As in threads: each fails for its own reason, and later trials share the latest good one."""
    first, second, third = (recording.step("Cleaning") for _ in range(3))
    first.__enter__()
    good = second.__enter__()
    third.__enter__()
    for failing in (first, third):
        assert not failing.__exit__(ZeroDivisionError, ZeroDivisionError("no rows"), None)  # the error goes on
    second.__exit__(None, None, None)
    with recording.trial(name="later"):
        pass

    steps = [step.name for step in workspace.trial("later").components if step.display_name == "Cleaning"]
    assert steps == [good.component_name]


def test_a_trial_is_taken_in_any_form(recording: ExperimentRunner, workspace: Workspace) -> None:
    with recording.trial(name="one") as local:
        pass
    forms: list[Any] = [local, workspace.trial("one"), workspace.trial("one").result, "one"]
    for form in forms:
        with recording.step("Evaluation", trial=form):
            pass
        assert LineageTracer(workspace).trace(form).trial_name == "one"
        assert [item.name for item in recording.cleanup_plan(trials=[form]).going if item.kind == "trial"] == ["one"]
    with recording.trial(name="two"):
        pass

    assert workspace.compare(local, "two").trials == ("one", "two")
    assert [step.display_name for step in workspace.trial("one").components].count("Evaluation") == len(forms)


@pytest.mark.parametrize("wrong", [3, ["one"], 0.5])
def test_what_is_no_trial_is_refused(recording: ExperimentRunner, workspace: Workspace, wrong: Any) -> None:
    for use in (workspace.compare, LineageTracer(workspace).trace, BestModelDeployer(workspace).deploy):
        with pytest.raises(ConfigError, match="is no trial"):
            use(wrong)
    with pytest.raises(ConfigError, match="is no trial"), recording.step("Evaluation", trial=wrong):
        pass
    with pytest.raises(ConfigError, match="is no trial"):
        recording.cleanup_plan(trials=[wrong])


def test_parameters_that_are_no_mapping_are_refused(recording: ExperimentRunner) -> None:
    wrong: Any = [("C", 1.0)]
    with pytest.raises(ConfigError, match="give a mapping"), recording.trial(wrong):
        pass
    with pytest.raises(ConfigError, match="give a mapping"), recording.step("Cleaning") as step:
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


def test_an_error_of_several_lines_is_recorded(recording: ExperimentRunner, workspace: Workspace) -> None:
    """As those of jobs are, which carry the end of the log."""
    with pytest.raises(ValueError, match="rows"), recording.step("Cleaning") as step:
        raise ValueError("No rows.\n  | the log\n")

    found = component_of(workspace, step)
    assert (found.status, found.message) == ("Failed", "No rows. | the log")


@pytest.mark.parametrize("step", [-1, 1.5, "1", True])
def test_a_step_of_a_metric_is_a_whole_number(recording: ExperimentRunner, step: Any) -> None:
    with recording.step("Cleaning") as cleaning, pytest.raises(ConfigError, match="whole numbers from 0"):
        cleaning.log_metric("loss", 0.5, step=step)


def test_metrics_that_are_no_mapping_of_numbers_are_refused(recording: ExperimentRunner) -> None:
    wrong: Any = [("loss", 0.5)]
    with recording.step("Cleaning") as step:
        with pytest.raises(ConfigError, match="give a mapping"):
            step.log_metrics(wrong)
        with pytest.raises(ConfigError, match="finite numbers only"):
            step.log_metric("loss", 10**400)
        step.log_metric("loss", 0.5, step=np.int64(3))  # type: ignore[arg-type]


def test_a_file_is_read_or_written(recording: ExperimentRunner, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2")
    wrong: Any = "in"
    with recording.step("Cleaning") as step, pytest.raises(ConfigError, match="possible are 'input', 'output'"):
        step.log_artifact(tmp_path / "rows.csv", direction=wrong)
