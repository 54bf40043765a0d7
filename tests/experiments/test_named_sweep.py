"""A sweep with a name: each point is trained once, by whichever program, and what is left is trained later."""

import _thread
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.calls import interrupted_after, killed_after
from tests.support.drivers import Driver, run_in_process

from mnist_tracking import (
    AlreadyExistsError,
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    Workspace,
)
from mnist_tracking._values.names import attempt_name, digest_of
from mnist_tracking._values.records import ParameterValue
from mnist_tracking.embedded import EmbeddedSageMaker, Fault, Lag
from mnist_tracking.experiments.runner import launch_of

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
MakeJob = Callable[..., JobSpec]


@pytest.fixture
def driver(tmp_path: Path, toy_job: MakeJob) -> Driver:
    return Driver(tmp_path / "home", toy_job(hyperparameters={"steps": 1}), points=2)


def trained(board: Leaderboard) -> list[float]:
    return sorted(float(str(trial.hyperparameters["slope"])) for trial in board if trial.status == "Completed")


def test_three_programs_train_each_point_once(driver: Driver) -> None:
    """optuna/optuna#5139: 12 jobs for 6 points."""
    driver.points = 6
    boards = driver.home.parent / "boards"
    boards.mkdir()

    def run() -> None:
        board = driver.run(max_parallel=2)
        (boards / str(os.getpid())).write_text(" ".join(trial.name for trial in board))

    children = [run_in_process(run) for _ in range(3)]

    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    board = driver.run()
    names = " ".join(trial.name for trial in board)
    assert [path.read_text() for path in boards.iterdir()] == [names] * 3
    assert trained(board) == [0, 1, 2, 3, 4, 5]
    assert len(board) == 6
    assert set(driver.jobs().values()) == {1}


def test_a_program_killed_anywhere_leaves_what_another_continues(driver: Driver) -> None:
    """After every second of its calls that change something."""
    number = 0
    while killed_after(number, lambda: driver.run(f"lines-{number}")):  # noqa: B023 - called at once
        board = driver.run(f"lines-{number}")

        assert trained(board) == [0, 1], number
        assert len(board) == 2, number
        number += 2

    assert number > 8
    assert set(driver.jobs().values()) == {1}


def test_a_program_interrupted_anywhere_is_continued_by_resuming(driver: Driver) -> None:
    """After every third of its calls that change something; a job that was started is stopped, and trained again."""
    number, has_more = 0, True
    while has_more:
        calls = interrupted_after(number, lambda: driver.run(f"lines-{number}"))  # noqa: B023 - called at once
        has_more = len(calls) == number + 1
        board = driver.run(f"lines-{number}", resume=True)

        assert trained(board) == [0, 1], number
        number += 3

    assert number > 8
    assert set(driver.jobs().values()) == {1}


class Interrupting:
    """A `TrialObserver` that interrupts the program at the first line of a log."""

    def started(self, *_: object) -> None: ...

    def logged(self, *_: object) -> None:
        _thread.interrupt_main()

    def ended(self, *_: object) -> None: ...


def test_an_interrupt_does_not_stop_the_jobs_of_other_programs(runner: ExperimentRunner, workspace: Workspace) -> None:
    hanging = {"behaviour": "hang"}
    name = attempt_name("night", digest_of("lines", hanging), 1)
    others = launch_of(runner, hanging, name)
    assert others.claim()
    others.start()

    with pytest.raises(KeyboardInterrupt):
        HyperparameterSweep(runner, {"behaviour": ["hang"]}, name="night").run(observer=Interrupting())

    submitted = workspace.submitted(name)
    assert submitted.status == "InProgress"
    submitted.stop()


@pytest.mark.parametrize("operation", ["CreateTrial", "CreateTrainingJob", "AssociateTrialComponent", "PutObject"])
@pytest.mark.parametrize("code", ["InternalFailure", "ReadTimeoutError"])
def test_a_lost_answer_makes_nothing_twice(tmp_path: Path, driver: Driver, operation: str, code: str) -> None:
    """Of all attempts of a call, so that the sweep repeats it; the call was executed each time."""
    engine = EmbeddedSageMaker(tmp_path / "home", sleep=lambda _: None)
    with Workspace.embedded(engine=engine) as workspace:
        runner = ExperimentRunner(workspace, "lines", job=driver.job)
        with runner.step("Cleaning"):
            pass
        with engine.inject(Fault(code, operation=operation, times=25, lost=True)) as injection:
            board = HyperparameterSweep(runner, {"slope": [0.0, 1.0]}, name="night").run()

    assert injection.failures
    assert trained(board) == [0, 1]
    assert list(driver.jobs().values()) == [1, 1]


def test_running_again_trains_what_is_new_and_resuming_also_what_failed(runner: ExperimentRunner) -> None:
    space: dict[str, list[ParameterValue]] = {"behaviour": ["train", "raise"], "slope": [1.0]}
    first = HyperparameterSweep(runner, space, name="night").run()
    again = HyperparameterSweep(runner, space, name="night").run()
    finer = HyperparameterSweep(runner, {**space, "slope": [1.0, 2.0]}, name="night").run()
    resumed = HyperparameterSweep(runner, space, name="night").run(resume=True)

    assert [trial.name for trial in again] == [trial.name for trial in first]
    assert (len(first), len(finer), len(resumed)) == (2, 4, 5)
    slot = digest_of("lines", {"behaviour": "raise", "slope": 1.0})
    assert {attempt_name("night", slot, 1), attempt_name("night", slot, 2)} <= {trial.name for trial in resumed}


def test_other_hyperparameters_of_the_job_are_other_points(runner: ExperimentRunner, toy_job: MakeJob) -> None:
    """Neither 2.0 for 2, which a script may reject, nor fewer steps are taken for the same training."""
    HyperparameterSweep(runner, {"slope": [2]}, name="night").run()
    runner.job = toy_job(hyperparameters={"steps": 1})

    assert len(HyperparameterSweep(runner, {"slope": [2]}, name="night").run()) == 2
    assert len(HyperparameterSweep(runner, {"slope": [2.0]}, name="night").run()) == 3


def test_a_sweep_of_an_experiment_that_was_cleaned_up_trains_anew(
    runner: ExperimentRunner, workspace: Workspace
) -> None:
    """Jobs cannot be deleted, so that a job's name is never free again."""
    first = HyperparameterSweep(runner, {"slope": [1.0]}, name="night").run().best
    runner.cleanup()

    again = HyperparameterSweep(
        ExperimentRunner(workspace, "lines", job=runner.job), {"slope": [1.0]}, name="night"
    ).run()

    assert again.best.name == first.name
    assert again.best.job_name != first.job_name
    assert again.best.created > first.created


def test_the_same_sweep_of_another_experiment_has_other_trials(workspace: Workspace, toy_job: MakeJob) -> None:
    boards = [
        HyperparameterSweep(ExperimentRunner(workspace, name, job=toy_job()), {"slope": [1.0]}, name="night").run()
        for name in ("one", "two")
    ]

    assert [len(board) for board in boards] == [1, 1]
    assert boards[0].best.name != boards[1].best.name


def test_a_trial_that_was_not_launched_is_not_taken_for_a_point(runner: ExperimentRunner) -> None:
    name = attempt_name("night", digest_of("lines", {"slope": 1.0}), 1)
    with runner.trial(name="night"):
        pass
    with ExperimentRunner(runner.workspace, "others").trial(name=name):
        pass

    with pytest.raises(AlreadyExistsError, match=name):
        HyperparameterSweep(runner, {"slope": [1.0]}, name="night").run()


def test_a_full_quota_is_waited_out_with_the_trials_kept_and_the_code_uploaded_once(
    limited_workspace: Workspace, toy_job: MakeJob
) -> None:
    """14 trials were created and deleted for 3."""
    created: Counter[str] = Counter()
    limited_workspace.boto_session.events.register(
        "before-parameter-build.*.*", lambda params, model, **_: created.update([model.name])
    )
    runner = ExperimentRunner(limited_workspace, "limited", job=toy_job())
    board = HyperparameterSweep(runner, {"slope": [1.0, 2.0, 3.0]}, max_parallel=3).run()

    assert trained(board) == [1, 2, 3]
    assert (created["CreateTrial"], created["DeleteTrial"]) == (3, 0)
    assert created["PutObject"] == 3
    assert created["CreateTrainingJob"] > 3


def test_a_job_whose_response_was_lost_does_not_wait_for_the_quota_that_it_uses(
    tmp_path: Path, toy_job: MakeJob
) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home", quotas={"ml.m5.xlarge": 1}, sleep=lambda _: None)
    with Workspace.embedded(engine=engine) as workspace:
        runner = ExperimentRunner(workspace, "lines", job=toy_job())
        full = Fault("ResourceLimitExceeded", operation="CreateTrainingJob", lost=True)
        with engine.inject(full) as injection:
            board = HyperparameterSweep(runner, {"slope": [1.0]}, name="night").run()

    assert injection.failures == 1
    assert trained(board) == [1]


def test_a_job_that_failed_for_want_of_instances_is_repeated(runner: ExperimentRunner, workspace: Workspace) -> None:
    """As another trial; a failure of the script is not repeated."""
    reasons = ["CapacityError: Unable to provision requested ML compute capacity.", "InternalServerError: We ..."]
    chosen: dict[str, str] = {}

    def change(parsed: dict[str, str], **_: object) -> None:
        if parsed["TrainingJobStatus"] == "Failed":
            name = parsed["TrainingJobName"]
            if name not in chosen:
                chosen[name] = reasons.pop() if reasons else parsed["FailureReason"]
            parsed["FailureReason"] = chosen[name]

    workspace.client("sagemaker").meta.events.register("after-call.sagemaker.DescribeTrainingJob", change)
    board = HyperparameterSweep(runner, {"behaviour": ["raise"]}, name="night").run()

    slot = digest_of("lines", {"behaviour": "raise"})
    assert sorted(trial.name for trial in board) == [attempt_name("night", slot, attempt) for attempt in (1, 2, 3)]


def test_a_sweep_is_continued_though_search_is_behind(engine: EmbeddedSageMaker, runner: ExperimentRunner) -> None:
    """By hours: the names of the trials are what counts, and those are never behind."""
    engine.lag = Lag(search_s=36_000.0, components_s=(0.0, 0.2), seed=3)
    first = HyperparameterSweep(runner, {"slope": [1.0, 2.0]}, name="night", max_parallel=2).run()
    again = HyperparameterSweep(runner, {"slope": [1.0, 2.0, 3.0]}, name="night").run()

    assert trained(first) == [1, 2]
    assert trained(again) == [1, 2, 3]
    assert len(again) == 3


@pytest.mark.parametrize("name", ["", "night shift", "n" * 101, 3])
def test_a_name_that_sagemaker_would_reject_is_rejected(runner: ExperimentRunner, name: str) -> None:
    with pytest.raises(ConfigError, match="The sweep name"):
        HyperparameterSweep(runner, {"slope": [1.0]}, name=name)
