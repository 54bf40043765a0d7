"""The trials of a sweep that train at once on one machine share its processors."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Leaderboard, Workspace
from mnist_tracking._values.sweeps import SweepPlace
from mnist_tracking.embedded.jobs.resources import find_cpus
from mnist_tracking.experiments.runner import launch_of

SCRIPT = "import os; print(os.environ.get('OMP_NUM_THREADS'))"


@pytest.fixture
def job(tmp_path: Path) -> JobSpec:
    (tmp_path / "train.py").write_text(SCRIPT)
    return JobSpec(str(tmp_path / "train.py"))


def threads(workspace: Workspace, job: JobSpec, *, max_parallel: int) -> set[str]:
    """Return what the scripts of a sweep of two trials print."""
    runner = ExperimentRunner(workspace, "lines", job=job)
    board = HyperparameterSweep(runner, {"x": [1, 2]}, max_parallel=max_parallel).run()
    return {line for trial in board for line in workspace.submitted(trial.name).logs()}


def test_each_has_an_equal_share_that_does_not_follow_from_the_load(workspace: Workspace, job: JobSpec) -> None:
    assert threads(workspace, job, max_parallel=2) == {str(max(1, find_cpus() // 2))}


def test_one_at_a_time_has_them_all(workspace: Workspace, job: JobSpec) -> None:
    assert threads(workspace, job, max_parallel=1) == {"None"}


def test_the_environment_of_the_job_comes_first(workspace: Workspace, tmp_path: Path, job: JobSpec) -> None:
    own = JobSpec(job.entry_point, environment={"OMP_NUM_THREADS": "3"})

    assert threads(workspace, own, max_parallel=2) == {"3"}


def test_the_limit_of_the_engine_comes_first(tmp_path: Path, job: JobSpec) -> None:
    with Workspace.embedded(tmp_path / "home", max_jobs=1) as workspace:
        assert threads(workspace, job, max_parallel=2) == {str(find_cpus())}


def test_the_reported_values_of_the_objective_are_on_the_board(
    workspace: Workspace, toy_job: Callable[..., JobSpec]
) -> None:
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    (trial,) = HyperparameterSweep(runner, {"slope": [2.0]}).run()

    assert trial.reported == {0: 1.0, 1: 1.5, 2: 1.75}
    assert workspace.trial(trial.name).reported == trial.reported
    assert runner.run({"slope": 2.0}).reported == {}


def test_the_first_value_of_a_step_is_reported_also_if_nobody_has_waited(
    workspace: Workspace, toy_job: Callable[..., JobSpec]
) -> None:
    place = SweepPlace("night", "0", objective="score")
    job = toy_job(hyperparameters={"steps": 2}, metrics={"score": r"(?:error|score)=(\S+?);"})
    runner = ExperimentRunner(workspace, "lines", job=job)
    submitted = launch_of(runner, {}, "night-0", place=place).submit()
    assert len(list(submitted.logs(follow=True))) == 2
    (trial,) = board = Leaderboard.load(workspace, "lines")

    assert trial.reported == {}
    assert board.check_logs()[0].reported == {0: 1.0, 1: 0.5}
