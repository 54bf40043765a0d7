"""What a call changes in this process changes only if the call succeeds."""

from pathlib import Path

import pytest
from tests.support.recorded import component_of
from tests.support.sent import count_calls

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, Leaderboard, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault
from mnist_tracking.errors import AccessDeniedError, ServiceError


@pytest.fixture
def recording(workspace: Workspace) -> ExperimentRunner:
    return ExperimentRunner(workspace, "churn")


def _denied(operation: str) -> Fault:
    return Fault("AccessDeniedException", operation=operation, times=1)


def _steps(workspace: Workspace, metric: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in workspace.trial("baseline").series()[metric]]


def test_a_step_that_sagemaker_does_not_record_is_rejected_before_it_is_sent(
    recording: ExperimentRunner, workspace: Workspace
) -> None:
    with recording.trial(name="baseline") as trial:
        with pytest.raises(ConfigError, match="step=2147483648; SageMaker records steps up to 2147483647"):
            trial.log_metric("loss", 0.5, step=2**31)
        trial.log_metric("loss", 0.4)
        trial.log_metric("loss", 0.3)

    assert _steps(workspace, "loss") == [(0, 0.4), (1, 0.3)]


def test_a_value_that_was_not_recorded_takes_no_step(
    recording: ExperimentRunner, workspace: Workspace, engine: EmbeddedSageMaker
) -> None:
    with recording.trial(name="baseline") as trial:
        trial.log_metric("loss", 0.5)
        with engine.inject(_denied("BatchPutMetrics")), pytest.raises(AccessDeniedError):
            trial.log_metric("loss", 0.4, step=100)
        trial.log_metric("loss", 0.3)

    assert _steps(workspace, "loss") == [(0, 0.5), (1, 0.3)]


def test_of_values_that_were_recorded_in_part_those_take_a_step(
    recording: ExperimentRunner, workspace: Workspace, engine: EmbeddedSageMaker
) -> None:
    many = {f"m{number:02}": 0.5 for number in range(20)}  # two requests
    with recording.trial(name="baseline") as trial:
        second = Fault("AccessDeniedException", operation="BatchPutMetrics", times=1, after=1)
        with engine.inject(second), pytest.raises(AccessDeniedError):
            trial.log_metrics(many)
        trial.log_metrics(many)

    assert _steps(workspace, "m09") == [(0, 0.5), (1, 0.5)]
    assert _steps(workspace, "m10") == [(0, 0.5)]


def test_a_file_that_was_not_uploaded_takes_no_name(
    recording: ExperimentRunner, workspace: Workspace, engine: EmbeddedSageMaker, tmp_path: Path
) -> None:
    first, second = tmp_path / "a" / "cm.png", tmp_path / "b" / "cm.png"
    for path in (first, second):
        path.parent.mkdir()
        path.write_text(str(path))
    with recording.step("Evaluation") as step:
        with engine.inject(_denied("PutObject")), pytest.raises(ServiceError):
            step.log_artifact(first)
        step.log_artifact(second)
        with pytest.raises(ConfigError, match="would replace"):
            step.log_artifact(first)

    assert [artifact.name for artifact in component_of(workspace, step).outputs] == ["cm-png"]


def test_a_file_that_was_not_recorded_is_not_linked_in_the_lineage(
    recording: ExperimentRunner, workspace: Workspace, engine: EmbeddedSageMaker, tmp_path: Path
) -> None:
    path = tmp_path / "cm.png"
    path.write_text("")
    made = count_calls(workspace, "CreateArtifact")
    with recording.step("Evaluation") as step:
        with engine.inject(_denied("UpdateTrialComponent")), pytest.raises(AccessDeniedError):
            step.log_artifact(path)
        with engine.inject(_denied("UpdateTrialComponent")), pytest.raises(AccessDeniedError):
            step.log_table({"x": [1]})

    assert component_of(workspace, step).outputs == ()
    assert made == []


@pytest.mark.parametrize(("code", "attempts"), [("ConflictException", 2), ("AccessDeniedException", 1)])
def test_an_objective_that_was_not_stored_is_stored_by_the_next_trial_unless_that_is_not_allowed(
    workspace: Workspace, engine: EmbeddedSageMaker, tmp_path: Path, code: str, attempts: int
) -> None:
    (tmp_path / "train.py").write_text("")
    job = JobSpec("train.py", source_dir=tmp_path, metrics={"loss": "loss=(.*)"}, objective="loss")
    ExperimentRunner(workspace, "churn")  # creates the experiment without an objective
    runner = ExperimentRunner(workspace, "churn", job=job)
    fault = Fault(code, operation="AddTags", times=None, when=lambda params: ":experiment/" in params["ResourceArn"])
    with engine.inject(fault), pytest.warns(UserWarning, match="is not stored"), runner.trial(name="first"):
        pass
    with runner.trial(name="second"):
        pass

    objective = Leaderboard.load(workspace, "churn").objective
    assert (objective is not None) == (attempts == 2)
