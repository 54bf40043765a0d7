"""Several programs that run one search, and programs that end in its midst: no trial is lost, or trained twice."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.calls import interrupted_after, killed_after
from tests.support.drivers import Driver, run_in_process
from tests.support.late import late_account
from tests.support.processes import until

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Leaderboard, Trial, Workspace, uniform
from mnist_tracking._values.records import MetricPoint
from mnist_tracking._values.sweeps import SweepPlace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault, Lag
from mnist_tracking.experiments.runner import launch_of

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
MakeJob = Callable[..., JobSpec]


@pytest.fixture
def driver(tmp_path: Path, toy_job: MakeJob) -> Driver:
    return Driver(tmp_path / "home", toy_job(hyperparameters={"steps": 1}), 0, strategy="random", max_trials=2)


def slopes(board: Leaderboard) -> set[Any]:
    return {trial.hyperparameters["slope"] for trial in board if trial.status == "Completed"}


def names(board: Leaderboard) -> list[str]:
    return sorted(trial.name for trial in board)


@pytest.mark.parametrize("strategy", ["random", "tpe"])
def test_three_programs_train_each_trial_once(driver: Driver, strategy: str) -> None:
    """With the same seed, so that each of them would choose the same points alone."""
    driver.settings = {"strategy": strategy, "max_trials": 8}
    boards = driver.home.parent / "boards"
    boards.mkdir()

    def run() -> None:
        (boards / str(os.getpid())).write_text(" ".join(trial.name for trial in driver.run(max_parallel=2)))

    children = [run_in_process(run) for _ in range(3)]

    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    board = driver.run()
    assert [path.read_text() for path in boards.iterdir()] == [" ".join(trial.name for trial in board)] * 3
    assert names(board) == [f"night-{number}" for number in range(8)]
    assert len(slopes(board)) == 8
    assert set(driver.jobs().values()) == {1}


def test_a_program_killed_anywhere_leaves_what_another_continues(driver: Driver) -> None:
    """After every fifth of its calls that change something."""
    number = 0
    while killed_after(number, lambda: driver.run(f"lines-{number}")):  # noqa: B023 - called at once
        board = driver.run(f"lines-{number}")

        assert names(board) == ["night-0", "night-1"], number
        assert len(slopes(board)) == 2, number
        cleanup(driver, f"lines-{number}")
        number += 5

    assert number > 8


@pytest.mark.parametrize("number", [4, 10])
def test_the_program_that_survives_trains_the_rest(driver: Driver, number: int) -> None:
    """Of two that run at once; the other one is killed while both start trials, or while both wait for them."""
    driver.settings = {"strategy": "tpe", "max_trials": 4}
    survivor = run_in_process(lambda: driver.run(max_parallel=2))
    killed_after(number, lambda: driver.run(max_parallel=2))

    assert os.waitpid(survivor, 0)[1] == 0
    board = driver.run()
    assert names(board) == [f"night-{slot}" for slot in range(4)]
    assert len(slopes(board)) == 4
    assert set(driver.jobs().values()) == {1}


def cleanup(driver: Driver, experiment: str) -> None:
    """Delete an experiment, so that the names of its trials are free again."""
    with Workspace.embedded(engine=EmbeddedSageMaker(driver.home)) as workspace:
        ExperimentRunner(workspace, experiment, job=driver.job).cleanup()


def test_a_program_interrupted_anywhere_is_continued_by_resuming(driver: Driver) -> None:
    """After every seventh of its calls that change something."""
    number, has_more = 0, True
    while has_more:
        calls = interrupted_after(number, lambda: driver.run(f"lines-{number}"))  # noqa: B023 - called at once
        has_more = len(calls) == number + 1
        board = driver.run(f"lines-{number}", resume=True)

        assert len(slopes(board)) == 2, number
        cleanup(driver, f"lines-{number}")
        number += 7

    assert number > 8


@pytest.mark.parametrize("operation", ["CreateTrial", "CreateTrainingJob", "CreateTrialComponent"])
def test_a_lost_answer_makes_nothing_twice(tmp_path: Path, driver: Driver, operation: str) -> None:
    """Of all attempts of a call, so that the sweep repeats it; the call was executed each time."""
    engine = EmbeddedSageMaker(tmp_path / "home", sleep=lambda _: None)
    with Workspace.embedded(engine=engine) as workspace:
        runner = ExperimentRunner(workspace, "lines", job=driver.job)
        with engine.inject(Fault("InternalFailure", operation=operation, times=25, lost=True)) as injection:
            sweep = HyperparameterSweep(runner, {"slope": uniform(0, 4)}, strategy="random", max_trials=2, name="night")
            board = sweep.run()

    assert injection.failures
    assert names(board) == ["night-0", "night-1"]
    assert list(driver.jobs().values()) == [1, 1]


@pytest.mark.parametrize("seed", range(2))
def test_a_search_is_continued_on_an_account_that_is_late(tmp_path: Path, toy_job: MakeJob, seed: int) -> None:
    with late_account(tmp_path / "home", Lag.like_aws(seed=seed)) as (_, workspace, _):
        runner = ExperimentRunner(workspace, "lines", job=toy_job())
        for most in (2, 4):
            sweep = HyperparameterSweep(
                runner, {"slope": uniform(0, 4)}, strategy="tpe", max_trials=most, max_parallel=2, name="night"
            )
            board = sweep.run()

    assert names(board) == [f"night-{number}" for number in range(4)]
    assert len(slopes(board)) == 4


def test_a_trial_without_a_job_is_started_with_any_point(runner: ExperimentRunner) -> None:
    """Its program was killed after it had created the trial; only that knew the point."""
    lost = launch_of(runner, {"slope": 9.0}, "night-0", place=SweepPlace("night", "0"))
    assert lost.claim()

    board = HyperparameterSweep(runner, {"slope": uniform(0, 4)}, strategy="random", max_trials=2, name="night").run()

    assert names(board) == ["night-0", "night-1"]
    assert 9.0 not in slopes(board)


def test_a_slot_has_the_point_of_the_job_that_was_started(runner: ExperimentRunner) -> None:
    """Two programs start the job of one trial: the one that comes second takes over the point of the other one."""
    told = []

    class Recording:
        def ask(self) -> dict[str, float]:
            return {"slope": 1.0}

        def report(self, *_: object) -> bool:
            return False

        def tell(self, trial: Any) -> None:
            told.append(trial)

    other = launch_of(runner, {"slope": 3.0}, "night-0", place=SweepPlace("night", "0"))
    assert other.claim()
    other.start()
    HyperparameterSweep(runner, {"slope": uniform(0, 4)}, strategy=Recording(), max_trials=1, name="night").run()

    assert {trial.point["slope"] for trial in told} == {3.0}


def test_sweeps_whose_names_begin_alike_are_told_apart(runner: ExperimentRunner) -> None:
    """A second attempt at slot 7 of "night" is not slot 2 of "night-7"."""
    settings: dict[str, Any] = {"strategy": "random", "max_trials": 1}
    HyperparameterSweep(runner, {"slope": uniform(0, 4)}, **settings, name="night").run()
    inner = HyperparameterSweep(runner, {"slope": uniform(0, 4)}, **settings, name="night-0")
    inner.run()

    assert names(inner.board) == ["night-0-0"]


class Events:
    """A `TrialObserver` that keeps what it is called with."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def started(self, trial_name: str, *_: object) -> None:
        self.events.append(("started", trial_name))

    def logged(self, *_: object) -> None: ...

    def reported(self, trial_name: str, point: MetricPoint) -> None:
        self.events.append((f"{point.metric} {point.value}", trial_name))

    def ended(self, trial: Trial) -> None:
        self.events.append((str(trial.status), trial.name))


def test_a_sweep_of_another_program_is_watched(driver: Driver) -> None:
    """Its trials are followed to their end, and none is started."""
    driver.settings["max_trials"] = 3
    child = run_in_process(driver.run)
    with Workspace.embedded(engine=EmbeddedSageMaker(driver.home)) as workspace:
        until(lambda: any(trial.name.startswith("night") for trial in workspace.trials()))
        events = Events()
        board = HyperparameterSweep.load(workspace, "lines", "night").watch(observer=events)

    assert os.waitpid(child, 0)[1] == 0
    assert names(board) == ["night-0", "night-1", "night-2"]
    for trial in board:
        of_it = [event for event, name in events.events if name == trial.name]
        assert (of_it[0], of_it[-1]) == ("started", "Completed")
    assert any(event.startswith("score ") for event, _ in events.events)
    assert set(driver.jobs().values()) == {1}
