"""The block of a step: how it begins, ends, fails, and to which trials it belongs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.recorded import component_of

from mnist_tracking import (
    ExperimentRunner,
    NotFoundError,
    Workspace,
)


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
    assert told["Parameters"]["rows"] == {"NumberValue": 7.0}
    assert told["Metrics"][0]["Last"] == 3


def test_an_error_of_several_lines_is_recorded(recording: ExperimentRunner, workspace: Workspace) -> None:
    """As those of jobs are, which carry the end of the log."""
    with pytest.raises(ValueError, match="rows"), recording.step("Cleaning") as step:
        raise ValueError("No rows.\n  | the log\n")

    found = component_of(workspace, step)
    assert (found.status, found.message) == ("Failed", "No rows. | the log")


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
        name: [c.name for c in workspace.trial(name).steps if c.display_name == "Cleaning"]
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


def test_steps_of_one_name_may_go_on_at_once(recording: ExperimentRunner, workspace: Workspace) -> None:
    """As in threads: each fails for its own reason, and later trials share the latest good one."""
    first, second, third = (recording.step("Cleaning") for _ in range(3))
    first.__enter__()
    good = second.__enter__()
    third.__enter__()
    for failing in (first, third):
        failing.__exit__(ZeroDivisionError, ZeroDivisionError("no rows"), None)
    second.__exit__(None, None, None)
    with recording.trial(name="later"):
        pass

    steps = [step.name for step in workspace.trial("later").steps if step.display_name == "Cleaning"]
    assert steps == [good.component_name]


def test_a_step_of_the_name_of_the_data_s_own_is_no_data_however_often_the_program_is_started(
    recording: ExperimentRunner, workspace: Workspace
) -> None:
    """Its inputs are what it read, and no business of later jobs."""
    with recording.step("Preprocessing") as step:
        step.log_input("raw", "s3://elsewhere/raw.csv")

    assert (recording.data_uri, ExperimentRunner(workspace, "churn").data_uri) == (None, None)


def test_the_data_stay_the_data_when_another_step_takes_their_step_s_name(
    recording: ExperimentRunner, workspace: Workspace
) -> None:
    recording.use_dataset("s3://elsewhere/rows")
    with recording.step("Preprocessing") as step:
        step.log_input("raw", "s3://elsewhere/raw.csv")
    with recording.trial(name="a"):
        pass
    recording.cleanup_plan(trials=["a"]).execute()

    found = [recording.data_uri, ExperimentRunner(workspace, "churn").data_uri]
    assert found == ["s3://elsewhere/rows", "s3://elsewhere/rows"]
