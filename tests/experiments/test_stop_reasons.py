"""Why a trial was stopped: recorded at once, and read by any program, whoever waits for it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sent import Sent, record_calls

from mnist_tracking import AccessDeniedError, ConfigError, ExperimentRunner, JobSpec, Leaderboard, Workspace
from mnist_tracking._aws.tags import from_tag, to_tag
from mnist_tracking.embedded import EmbeddedSageMaker, Fault, Lag
from mnist_tracking.experiments.submission import SubmittedTrial

PRUNED = "pruned at step 3 by asha, 50% behind"


@pytest.fixture
def calls(workspace: Workspace) -> Sent:
    return record_calls(workspace)


@pytest.fixture
def hanging(calls: Sent, runner: ExperimentRunner) -> SubmittedTrial:
    """A trial whose script waits to be stopped."""
    submitted = runner.submit({"behaviour": "hang"}, name="hanging")
    assert next(submitted.logs(follow=True)) == "hanging"
    calls.clear()
    return submitted


def wait_for_job(submitted: SubmittedTrial) -> None:
    """Wait for the job, as a program that records nothing."""
    assert list(submitted.logs(follow=True))


def test_a_board_shows_the_reason_though_nobody_has_waited(
    hanging: SubmittedTrial, calls: Sent, workspace: Workspace
) -> None:
    hanging.stop(reason=PRUNED)
    assert [name for name, _ in calls] == ["DescribeTrainingJob", "UpdateTrialComponent", "StopTrainingJob"]
    wait_for_job(hanging)
    (trial,) = Leaderboard.load(workspace, "lines")

    assert (trial.status, trial.stop_reason, trial.is_pruned, trial.failure_reason) == ("Stopped", PRUNED, True, "")
    assert hanging.wait().stop_reason == workspace.trial("hanging").stop_reason == PRUNED
    assert str(trial).startswith(f"trial hanging of experiment lines: Stopped. {PRUNED}\n")
    assert workspace.trials("lines").dataframe()["stop_reason"].tolist() == [PRUNED]


def test_a_person_needs_no_reason(hanging: SubmittedTrial) -> None:
    hanging.stop()
    hanging.stop(reason="again")
    trial = hanging.wait()

    assert (trial.stop_reason, trial.is_pruned) == ("stopped on request", False)


def test_another_tool_records_none(hanging: SubmittedTrial, workspace: Workspace) -> None:
    workspace.client("sagemaker").stop_training_job(TrainingJobName=hanging.job_name)

    assert hanging.wait().stop_reason == workspace.trial("hanging").stop_reason == ""


def test_ctrl_c_is_an_interruption(runner: ExperimentRunner, workspace: Workspace) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    class Interrupting:
        started = status_changed = ended = staticmethod(lambda *_: None)
        logged = staticmethod(interrupt)

    with pytest.raises(KeyboardInterrupt):
        runner.run({"behaviour": "hang"}, name="interrupted", observer=Interrupting())

    assert workspace.submitted("interrupted").wait().stop_reason == "interrupted"


def test_before_the_component_exists_the_job_is_tagged(
    engine: EmbeddedSageMaker, hanging: SubmittedTrial, workspace: Workspace
) -> None:
    engine.lag = Lag(components_s=3600.0)
    hanging.stop(reason=PRUNED)
    wait_for_job(hanging)
    engine.lag = Lag()

    (unknown,) = board = Leaderboard.load(workspace, "lines")
    assert unknown.stop_reason == ""
    assert board.check_logs()[0].stop_reason == workspace.trial("hanging").stop_reason == PRUNED
    assert hanging.wait().stop_reason == PRUNED
    assert Leaderboard.load(workspace, "lines")[0].stop_reason == PRUNED


def test_a_job_that_completed_before_it_was_stopped_has_no_reason(
    engine: EmbeddedSageMaker, workspace: Workspace, tmp_path: Path
) -> None:
    script, end = tmp_path / "train.py", tmp_path / "end"
    script.write_text(f"import pathlib, time\nwhile not pathlib.Path({str(end)!r}).exists(): time.sleep(0.01)")
    submitted = ExperimentRunner(workspace, "lines", job=JobSpec(str(script))).submit(name="fast")
    with engine.inject(Fault("AccessDeniedException", operation="StopTrainingJob")), pytest.raises(AccessDeniedError):
        submitted.stop(reason=PRUNED)
    end.touch()
    trial = submitted.wait()

    assert (trial.status, trial.stop_reason) == ("Completed", "")
    assert "mnist-tracking:stop-reason" not in workspace.trial("fast").steps[-1].parameters


def test_a_reason_that_cannot_be_recorded_keeps_no_job_running(
    engine: EmbeddedSageMaker, hanging: SubmittedTrial
) -> None:
    with (
        engine.inject(Fault("AccessDeniedException", operation="UpdateTrialComponent", times=1)),
        engine.inject(Fault("AccessDeniedException", operation="AddTags", times=1)),
        pytest.warns(UserWarning, match=f"The reason for stopping the job '{hanging.job_name}' cannot be recorded: "),
    ):
        hanging.stop(reason=PRUNED)

    assert (hanging.wait().status, hanging.wait().stop_reason) == ("Stopped", "")


def test_who_may_not_change_components_tags_the_job(engine: EmbeddedSageMaker, hanging: SubmittedTrial) -> None:
    with engine.inject(Fault("AccessDeniedException", operation="UpdateTrialComponent", times=1)):
        hanging.stop(reason=PRUNED)

    assert hanging.wait().stop_reason == PRUNED


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 257, None, 3])
def test_a_reason_is_one_line(runner: ExperimentRunner, calls: Sent, reason: object) -> None:
    submitted = runner.submit()
    calls.clear()
    with pytest.raises(ConfigError, match=r"reason=.*; expected a single line of 1 to 256 characters"):
        submitted.stop(reason=reason)  # type: ignore[arg-type]
    assert calls == []
    submitted.wait()


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=256))
def test_any_text_fits_into_a_tag(text: str) -> None:
    value = to_tag(text)

    assert re.fullmatch(r"[\w ./:=+@-]{0,256}", value)
    read = from_tag(value)
    assert text.startswith(read)
    assert read == text or len(value) > 240
