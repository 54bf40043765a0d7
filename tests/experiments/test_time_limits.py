"""Trials that a time limit of their job has ended: aws/amazon-sagemaker-examples#588."""

from collections.abc import Callable

import numpy as np
import pytest

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Leaderboard, StateError, Workspace
from mnist_tracking._aws.jobs import time_limit


@pytest.fixture
def limited(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> ExperimentRunner:
    """A runner whose jobs print their metrics, write their model, and exceed their time."""
    job = toy_job(max_run_s=1, hyperparameters={"behaviour": "overrun"})
    return ExperimentRunner(workspace, "lines", job=job)


def test_a_trial_at_its_time_limit_says_so_and_is_ranked(limited: ExperimentRunner, workspace: Workspace) -> None:
    returned = limited.run({"slope": 2.0}, name="long")
    board = Leaderboard.load(workspace, "lines", objective="score")

    assert (returned.status, returned.stop_reason) == ("Stopped", "MaxRuntimeExceeded")
    assert board[0].stop_reason == "MaxRuntimeExceeded"
    assert board[0].failure_reason == "MaxRuntimeExceeded: its job reached a time limit"
    assert board.dataframe()["objective"].notna().all()
    with pytest.raises(StateError, match=r"long is Stopped \(MaxRuntimeExceeded\)"):
        _ = board.best


def test_a_trial_at_its_time_limit_is_deployed_by_name(limited: ExperimentRunner, workspace: Workspace) -> None:
    """Also if nobody has waited for it, so that nothing is recorded but its status."""
    submitted = limited.submit({"slope": 2.0}, name="long")
    assert list(submitted.logs(follow=True))
    (trial,) = Leaderboard.load(workspace, "lines")

    assert (trial.status, trial.stop_reason) == ("Stopped", "")
    assert workspace.trial("long").stop_reason == "MaxRuntimeExceeded"
    with trial.deploy() as endpoint:
        assert endpoint.predict(np.array([2.0])).shape == (1,)


def test_the_limit_of_the_wait_for_spot_instances_is_a_time_limit_too() -> None:
    assert time_limit({"SecondaryStatus": "MaxWaitTimeExceeded"}) == "MaxWaitTimeExceeded"
    assert time_limit({"SecondaryStatus": "Interrupted"}) == time_limit({}) == ""


@pytest.mark.parametrize("name", [None, "night"])
def test_a_trial_at_its_time_limit_is_not_trained_again(limited: ExperimentRunner, name: str | None) -> None:
    sweep = HyperparameterSweep(limited, {"slope": [2.0]}, name=name)
    first = sweep.run()

    assert [trial.name for trial in sweep.run(resume=True)] == [trial.name for trial in first]


def test_a_trial_that_somebody_stopped_is_not_deployed(runner: ExperimentRunner, workspace: Workspace) -> None:
    submitted = runner.submit({"behaviour": "hang"}, name="stopped")
    assert next(submitted.logs(follow=True)) == "hanging"
    submitted.stop()

    trial = submitted.wait()
    assert (trial.status, trial.stop_reason, trial.failure_reason) == ("Stopped", "stopped on request", "")
    with pytest.raises(StateError, match="is Stopped; only a trial that has completed, or reached its time limit"):
        workspace.trial("stopped").deploy()
