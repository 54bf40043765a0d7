"""Sweeps that search: what they train, stop, tell their strategy, and record."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import (
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    NotFoundError,
    Objective,
    StopRules,
    Trial,
    Workspace,
    uniform,
)
from mnist_tracking._values.settings import Settings
from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.experiments.sweep.strategies import SweepTrial
from mnist_tracking.experiments.sweep.strategies.make import STRATEGIES

MakeJob = Callable[..., JobSpec]
SLOPES = {"slope": uniform(1.0, 4.0)}
WAITING = """
import argparse, os, signal
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--slope", type=float)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
Path(os.environ["SM_MODEL_DIR"], "weights.txt").write_text(str(args.slope))
for epoch in (1, 2, 3):
    print(f"Epoch {epoch}: score={args.slope * epoch + args.seed / 100!r};", flush=True)
    if args.slope < 0:
        signal.pause()  # until it is stopped
"""


class Listed:
    """A strategy that tries listed slopes, stops those that report a negative value, and keeps what it is told."""

    def __init__(self, *slopes: float) -> None:
        self.left = list(slopes)
        self.told: list[SweepTrial] = []

    def ask(self) -> Mapping[str, float] | None:
        return {"slope": self.left.pop(0)} if self.left else None

    def report(self, trial: SweepTrial, step: int, value: float) -> bool:
        del trial, step
        return value < 0

    def tell(self, trial: SweepTrial) -> None:
        self.told.append(trial)

    @property
    def last(self) -> dict[int, SweepTrial]:
        """The last that it was told of each trial."""
        return {trial.number: trial for trial in self.told}


def slopes(trials: Iterable[Trial]) -> list[Any]:
    """The slopes of trials, in the order of their numbers."""
    return [trial.hyperparameters["slope"] for trial in sorted(trials, key=lambda trial: trial.name)]


@pytest.fixture
def waiting(workspace: Workspace, tmp_path: Path) -> ExperimentRunner:
    """A runner whose jobs wait to be stopped if their slope is negative."""
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    job = JobSpec(str(script), metrics={"score": r"score=(\S+);"}, objective=Objective("score"))
    return ExperimentRunner(workspace, "waiting", job=job)


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in ("grid", "gp", "cmaes")])
def test_a_search_resumed_after_some_trials_trains_the_same_points(
    workspace: Workspace, toy_job: MakeJob, strategy: str
) -> None:
    """The seed of the sampler is derived from the number of trials, or the first point would come again."""
    whole, parts = (ExperimentRunner(workspace, name, job=toy_job()) for name in ("whole", "parts"))
    HyperparameterSweep(whole, SLOPES, strategy=strategy, max_trials=4, name="all").run()
    for most in (1, 3, 4):
        HyperparameterSweep(parts, SLOPES, strategy=strategy, max_trials=most, name="some").run()

    boards = [Leaderboard.load(workspace, name) for name in ("whole", "parts")]
    assert slopes(boards[0]) == slopes(boards[1])
    assert len(set(slopes(boards[0]))) == 4


def test_a_trial_that_is_stopped_stays_with_its_reason_its_values_and_its_model(waiting: ExperimentRunner) -> None:
    strategy = Listed(2.0, -1.0, 3.0)
    board = HyperparameterSweep(waiting, {"slope": uniform(-4, 4)}, strategy=strategy, max_trials=3).run()

    pruned = next(trial for trial in board if trial.is_pruned)
    assert (pruned.status, pruned.stop_reason) == ("Stopped", "pruned at step 1 by Listed")
    assert dict(pruned.reported) == {1: -1.0}
    assert pruned.model_uri is not None
    assert board.best.hyperparameters["slope"] == 3.0
    assert strategy.last[1] == SweepTrial(1, {"slope": -1.0}, "pruned", value=-1.0, values={1: -1.0})
    assert strategy.last[2] == SweepTrial(2, {"slope": 3.0}, "completed", value=9.0, values={1: 3.0, 2: 6.0, 3: 9.0})


def test_a_search_of_another_process_is_told_everything(waiting: ExperimentRunner, toy_job: MakeJob) -> None:
    space = {"slope": uniform(-4, 4)}
    HyperparameterSweep(waiting, space, strategy=(first := Listed(2.0, -1.0)), max_trials=2, name="night").run()
    second = Listed(1.0)
    again = ExperimentRunner(waiting.workspace, waiting.name, job=waiting.job)
    HyperparameterSweep(again, space, strategy=second, max_trials=3, name="night").run()

    assert second.told[:2] == [first.last[0], first.last[1]]
    assert second.last[2].value == 3.0


def test_repeats_are_told_as_one_trial_with_the_mean(waiting: ExperimentRunner) -> None:
    strategy = Listed(2.0, 1.0)
    sweep = HyperparameterSweep(
        waiting, {"slope": uniform(-4, 4)}, strategy=strategy, max_trials=7, repeats=3, seed=5, max_parallel=2
    )
    sweep.run()

    assert {trial.hyperparameters["seed"] for trial in sweep.board} == {5, 6, 7}
    assert len(sweep.board) == len(sweep) == 6
    assert strategy.last.keys() == {0, 1}
    assert strategy.last[0].value == pytest.approx(6.06)


def test_a_configuration_whose_first_repeat_is_pruned_is_not_repeated(waiting: ExperimentRunner) -> None:
    strategy = Listed(-2.0, 1.0)
    sweep = HyperparameterSweep(
        waiting, {"slope": uniform(-4, 4)}, strategy=strategy, max_trials=6, repeats=3, name="night", max_parallel=3
    )
    sweep.run()

    assert sorted(trial.name for trial in sweep.board) == ["night-0", "night-3", "night-4", "night-5"]
    assert [strategy.last[number].status for number in (0, 1)] == ["pruned", "completed"]


def test_the_repeats_of_a_grid_differ_in_their_seed(waiting: ExperimentRunner) -> None:
    sweep = HyperparameterSweep(waiting, {"slope": [1.0, 2.0]}, repeats=2, repeat_by="seed", max_parallel=2)
    sweep.run()

    assert sorted((t.hyperparameters["slope"], t.hyperparameters["seed"]) for t in sweep.board) == [
        (slope, seed) for slope in (1.0, 2.0) for seed in (0, 1)
    ]
    assert {(trial.sweep.repeat, trial.sweep.repeat_by) for trial in sweep.board if trial.sweep} == {
        (0, "seed"), (1, "seed")
    }  # fmt: skip


def test_earlier_experiments_are_told_first(waiting: ExperimentRunner, workspace: Workspace) -> None:
    """Their trials whose parameters are in the space, with negative numbers."""
    old = ExperimentRunner(workspace, "old", job=waiting.job)
    for slope in (1.0, 9.0):
        old.run({"slope": slope})
    strategy = Listed(2.0)
    HyperparameterSweep(waiting, {"slope": uniform(-4, 4)}, strategy=strategy, max_trials=1, warm_start="old").run()

    assert strategy.told[0] == SweepTrial(-1, {"slope": 1.0}, "completed", value=3.0)
    assert strategy.last.keys() == {-1, 0}


def test_a_sweep_varies_the_job_itself(workspace: Workspace, tmp_path: Path) -> None:
    script = tmp_path / "size.py"
    script.write_text("import os; print(f'size={os.environ[\"SIZE\"]};')")
    job = JobSpec(str(script), metrics={"size": r"size=(\S+);"}, objective="size")
    runner = ExperimentRunner(workspace, "sizes", job=job)
    space = {"job:environment.SIZE": ["1", "2"]}
    board = HyperparameterSweep(runner, space, name="night").run()
    again = HyperparameterSweep(runner, space, name="night").run()

    assert [trial.metrics["size"].last for trial in board] == [2, 1]
    assert [trial.name for trial in again] == [trial.name for trial in board]
    assert board.best.sweep is not None
    assert board.best.sweep.job == {"job:environment.SIZE": "2"}


def test_a_sweep_is_loaded_with_what_the_experiment_has_of_it(
    engine: EmbeddedSageMaker, waiting: ExperimentRunner
) -> None:
    HyperparameterSweep(
        waiting,
        SLOPES,
        strategy="random",
        max_trials=2,
        seed=3,
        objective=Objective("score", goal="minimize"),
        name="one",
    ).run()
    with Workspace.embedded(engine=EmbeddedSageMaker(engine.home)) as elsewhere:
        watched = HyperparameterSweep.load(elsewhere, "waiting", "one")
        longer = HyperparameterSweep.load(elsewhere, "Waiting", "one", job=waiting.job, max_trials=3)
        longer.run()

        assert (len(watched), len(longer), len(watched.board)) == (2, 3, 3)
        assert watched.space == longer.space
        assert watched.board.objective == Objective("score", goal="minimize")
        assert len(HyperparameterSweep.load(elsewhere, "waiting", "one")) == 3
        with pytest.raises(ConfigError, match=r"loaded without a job\. Pass job="):
            watched.run()
        with pytest.raises(NotFoundError, match="Existing: 'one'"):
            HyperparameterSweep.load(elsewhere, "waiting", "two")


def test_a_strategy_that_is_an_object_is_passed_again_to_run_a_loaded_sweep(waiting: ExperimentRunner) -> None:
    HyperparameterSweep(waiting, SLOPES, strategy=Listed(2.0), max_trials=1, name="night").run()
    load = partial(HyperparameterSweep.load, waiting.workspace, waiting.name, "night", max_trials=2)

    assert len(load().board) == 1
    with pytest.raises(ConfigError, match=r"is a Listed, an object, which is not stored\. Pass strategy= again"):
        load(job=waiting.job)
    assert len(load(job=waiting.job, strategy=Listed(3.0)).run()) == 2


def test_another_sweep_of_the_same_name_is_rejected(waiting: ExperimentRunner) -> None:
    """Its slots are numbers, so that their trials would be taken for its own."""
    HyperparameterSweep(waiting, SLOPES, strategy="random", max_trials=1, name="night").run()
    others: dict[str, dict[str, Any]] = {
        "space": {"space": {"slope": uniform(1.0, 5.0)}},
        "strategy": {"strategy": "qmc"},
        "seed": {"seed": 1},
        "objective": {"objective": Objective("score", goal="minimize")},
        "repeats": {"repeats": 2},
        "pruner": {"pruner": "median"},
    }

    for what, changes in others.items():
        settings = {"space": SLOPES, "strategy": "random", "max_trials": 2, "name": "night", **changes}
        with pytest.raises(ConfigError, match=f"'night' exists with another {what}: "):
            HyperparameterSweep(waiting, **settings).run()
    assert len(Leaderboard.load(waiting.workspace, waiting.name)) == 1


@pytest.mark.parametrize("settings", [{"space": {"slope": [1.0, 2.0, 3.0]}}, {"space": SLOPES, "strategy": "random"}])
def test_a_sweep_that_fills_the_quota_exactly_runs_again(runner: ExperimentRunner, settings: dict[str, Any]) -> None:
    """Nothing is left to train, so that no room is needed; one more trial would need some."""
    runner.workspace.settings = Settings(trial_quota=3)
    with runner.trial(name="another"):
        pass
    sweep = partial(HyperparameterSweep, runner, **settings, name="night")

    assert len(sweep(max_trials=2).run()) == len(sweep(max_trials=2).run()) == 3
    with pytest.raises(ConfigError, match="1 trial to train, and the experiment 'lines' has 3 trials"):
        sweep(max_trials=3).run()


def test_a_cleanup_of_some_trials_keeps_the_sweep_and_one_of_the_experiment_deletes_it(
    runner: ExperimentRunner, workspace: Workspace
) -> None:
    sweep = HyperparameterSweep(runner, SLOPES, strategy="random", max_trials=2, name="night")
    first = sweep.run()
    runner.cleanup_plan(trials=["night-0"]).execute()
    again = HyperparameterSweep.load(workspace, "lines", "night", job=runner.job)

    assert [trial.name for trial in again.board] == ["night-1"]
    assert sorted(trial.name for trial in again.run()) == sorted(trial.name for trial in first)  # its slot was free
    runner.cleanup()
    assert workspace.client("sagemaker").list_trial_components()["TrialComponentSummaries"] == []


def test_resuming_a_search_trains_again_what_failed(runner: ExperimentRunner, toy_job: MakeJob) -> None:
    """With the same point, as a further attempt at its slot; once the cause is mended."""
    runner.job = toy_job(hyperparameters={"behaviour": "raise"})
    sweep: dict[str, Any] = {"strategy": "random", "max_trials": 2, "name": "night"}
    HyperparameterSweep(runner, SLOPES, **sweep).run()
    runner.job = toy_job()
    assert len(HyperparameterSweep(runner, SLOPES, **sweep).run()) == 2
    HyperparameterSweep(runner, SLOPES, **sweep).run(resume=True)

    board = {trial.name: trial for trial in Leaderboard.load(runner.workspace, runner.name)}
    assert sorted(board) == ["night-0", "night-0-a2", "night-1", "night-1-a2"]
    assert board["night-0"].hyperparameters["slope"] == board["night-0-a2"].hyperparameters["slope"]
    assert board["night-0-a2"].status == "Completed"
    with pytest.raises(ConfigError, match="resume=True continues a sweep by its name"):
        HyperparameterSweep(runner, SLOPES, strategy="random", max_trials=2).run(resume=True)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strategy": "random"}, r"would never end\. Pass max_trials="),
        ({"max_trials": 0}, "max_trials=0; expected an integer >= 1"),
        ({"max_trials": 2, "repeats": 3}, "allows no configuration; expected at least 3 trials"),
        ({"strategy": "random", "max_trials": 2, "repeats": 2, "repeat_by": "slope"}, "also a parameter of the space"),
        ({"max_trials": 2, "retries": -1}, "retries=-1; expected an integer >= 0"),
        ({"max_trials": 2, "seed": -1}, "seed=-1; expected an integer >= 0"),
        ({"max_trials": 2, "stop": 3600}, r"stop=3600; expected StopRules"),
        ({"max_trials": 2, "warm_start": [3], "strategy": "random"}, r"warm_start=\[3\]; expected the names"),
        ({"space": {"slope": [1.0]}, "warm_start": ["old"]}, "does not learn from warm_start="),
        ({"max_trials": 2, "points_first": [{"slop": 1.0}]}, "no parameter 'slop'"),
    ],
)
def test_wrong_arguments_are_rejected(runner: ExperimentRunner, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        HyperparameterSweep(runner, **{"space": SLOPES, **settings})


@pytest.mark.parametrize("rule", ["target", "patience"])
def test_rules_that_compare_values_need_an_objective(runner: ExperimentRunner, toy_job: MakeJob, rule: str) -> None:
    runner.job = toy_job(objective=None)
    with pytest.raises(ConfigError, match=f"{rule}=3 compares values of the objective, but the job has none"):
        HyperparameterSweep(runner, SLOPES, strategy="random", max_trials=2, stop=StopRules(**{rule: 3}))


def test_message_about_a_point_of_many_parameters_is_short(runner: ExperimentRunner) -> None:
    with pytest.raises(ConfigError, match="hyperparameters") as caught:
        HyperparameterSweep(runner, [{f"parameter-{number}": number for number in range(1000)}])

    assert len(str(caught.value)) < 700
