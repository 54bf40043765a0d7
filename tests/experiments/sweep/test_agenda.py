"""What a sweep has left to train: foreign trials, earlier ones, values that look alike, and costs that nobody knows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import (
    AlreadyExistsError,
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Objective,
    StopRules,
    Trial,
    Workspace,
    uniform,
)
from mnist_tracking._aws.jobs import wait_for_job
from mnist_tracking._values.records import MetricPoint, ParameterValue
from mnist_tracking._values.sweeps import SweepPlace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault
from mnist_tracking.experiments.runner import launch_of
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.spec import SweepSpec
from mnist_tracking.experiments.sweep.strategies import SweepTrial

MakeJob = Callable[..., JobSpec]
SLOPES = {"slope": uniform(1.0, 4.0)}
PRICES = {"region": "here", "date": "2026-11-29", "source": "a test", "usd_per_hour": {"ml.m5.xlarge": 3600.0}}
PRINTING = """
import json, os, signal
given = json.loads(os.environ["SM_HPS"])
x = given["x"]
print("\\n".join(f"Epoch {epoch}: score={x * epoch};" for epoch in (1, 2, 3)), flush=True)
if x < 0:
    signal.pause()  # until it is stopped
"""
MEETING = """
import json, os, pathlib, time
given = json.loads(os.environ["SM_HPS"])
folder = pathlib.Path(given["folder"])
(folder / str(given["seed"])).touch()
end = time.monotonic() + 20
while len(list(folder.iterdir())) < 3 and time.monotonic() < end:
    time.sleep(0.01)
print(f"score={len(list(folder.iterdir()))};")
"""
ASKED = """
import json, os, pathlib, signal, time
given = json.loads(os.environ["SM_HPS"])
if given["x"] < 0:
    while not pathlib.Path(given["asking"]).exists():
        time.sleep(0.01)
    print("score=-1;", flush=True)
    signal.pause()
print("score=1;")
"""


class Listed:
    """A strategy that tries listed points, stops negative values, and keeps what it is told."""

    def __init__(self, *points: dict[str, ParameterValue]) -> None:
        self.left = list(points)
        self.told: dict[int, SweepTrial] = {}

    def ask(self) -> dict[str, ParameterValue] | None:
        return self.left.pop(0) if self.left else None

    def report(self, trial: SweepTrial, step: int, value: float) -> bool:
        del trial, step
        return value < 0

    def tell(self, trial: SweepTrial) -> None:
        self.told[trial.number] = trial


class Prunings:
    """A `TrialObserver` that keeps why trials were pruned."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def started(self, *_: object) -> None: ...

    def logged(self, *_: object) -> None: ...

    def reported(self, trial_name: str, point: MetricPoint) -> None: ...

    def pruned(self, trial_name: str, reason: str) -> None:
        del trial_name
        self.reasons.append(reason)

    def ended(self, trial: Trial) -> None: ...


@pytest.fixture
def runs(workspace: Workspace, tmp_path: Path) -> Callable[..., ExperimentRunner]:
    """Makes a runner of a script whose metric is *score*."""

    def make(script: str, name: str = "edges", **settings: Any) -> ExperimentRunner:
        path = tmp_path / "script.py"
        path.write_text(script)
        job = JobSpec(
            str(path), metrics={"score": r"score=(\S+);"}, objective=Objective("score"), arguments=[], **settings
        )
        return ExperimentRunner(workspace, name, job=job)

    return make


def test_values_after_the_stop_change_neither_its_reason_nor_what_is_reported(
    runs: Callable[..., ExperimentRunner],
) -> None:
    """Three values came at once, and each of them would have stopped the trial."""
    strategy, prunings = Listed({"x": -1.0}), Prunings()
    sweep = HyperparameterSweep(runs(PRINTING), {"x": uniform(-1, 1)}, strategy=strategy, max_trials=1)
    (trial,) = sweep.run(observer=prunings)

    assert prunings.reasons == [trial.stop_reason] == ["pruned at step 1 by Listed"]
    assert strategy.told[0].values == {1: -1.0, 2: -2.0, 3: -3.0}


def test_a_stop_that_failed_in_an_outage_is_requested_again(
    runs: Callable[..., ExperimentRunner], tmp_path: Path
) -> None:
    """No other value comes that would request it."""
    engine = EmbeddedSageMaker(tmp_path / "home", sleep=lambda _: None)
    job = runs(PRINTING.replace("(1, 2, 3)", "(1,)")).job
    with Workspace.embedded(engine=engine) as workspace:
        runner = ExperimentRunner(workspace, "edges", job=job)
        sweep = HyperparameterSweep(runner, {"x": uniform(-1, 1)}, strategy=Listed({"x": -1.0}), max_trials=1)
        with engine.inject(Fault("InternalFailure", operation="StopTrainingJob", times=12)) as injection:
            (trial,) = sweep.run()

    assert injection.failures
    assert trial.stop_reason == "pruned at step 1 by Listed"


def test_repeats_start_while_the_first_one_trains(runs: Callable[..., ExperimentRunner], tmp_path: Path) -> None:
    """Each of them ends once all three have started."""
    pytest.importorskip("optuna")
    (folder := tmp_path / "started").mkdir()
    runner = runs(MEETING, hyperparameters={"folder": str(folder)})
    board = HyperparameterSweep(
        runner, {"x": uniform(0, 1)}, strategy="random", max_trials=3, repeats=3, max_parallel=3
    ).run()

    assert [trial.metrics["score"].last for trial in board] == [3, 3, 3]


def test_no_job_starts_after_the_time_while_the_quota_is_full(
    runs: Callable[..., ExperimentRunner], engine: EmbeddedSageMaker
) -> None:
    sweep = HyperparameterSweep(runs(PRINTING), {"x": [1.0]}, stop=StopRules(max_time=0.5), name="night")
    with engine.inject(Fault("ResourceLimitExceeded", operation="CreateTrainingJob", times=None)):
        assert len(sweep.run()) == 0

    assert sweep.stopped_by.startswith("max_time: ")
    assert len(HyperparameterSweep(sweep.runner, {"x": [1.0]}, name="night").run()) == 1


def test_a_trial_whose_cost_nobody_has_recorded_counts_as_the_dearest(tmp_path: Path, toy_job: MakeJob) -> None:
    """Its program was killed while the job was running."""
    with Workspace.embedded(home=tmp_path / "home", prices=PRICES) as workspace:
        runner = ExperimentRunner(workspace, "lines", job=toy_job(max_run_s=10))
        lost = launch_of(runner, {"slope": 2.0}, "night-0", place=SweepPlace("night", "0"))
        assert lost.claim()
        wait_for_job(workspace, lost.start().job_name)
        sweep = HyperparameterSweep(
            runner, SLOPES, strategy="random", max_trials=2, stop=StopRules(max_cost=15), name="night"
        )

        assert len(sweep.run()) == 1
        assert sweep.stopped_by.startswith("max_cost: $10.00 of $15.00 is spent")


def test_trials_that_have_names_like_those_of_a_sweep_do_not_belong_to_it(runner: ExperimentRunner) -> None:
    """One was trained by a job, one is being recorded."""
    runner.run({"slope": 9.0}, name="night-0")
    with runner.trial({"slope": 8.0}, name="night-2"):
        sweep = HyperparameterSweep(runner, SLOPES, strategy="random", max_trials=2, name="night")
        assert len(sweep.run()) == 4
        assert len(sweep.run()) == 4

    assert sorted(trial.name for trial in sweep.board) == ["night-1", "night-3"]


def test_a_sweep_whose_names_another_experiment_has_says_so(workspace: Workspace, toy_job: MakeJob) -> None:
    """The names of trials are unique in an account."""
    one, other = (ExperimentRunner(workspace, name, job=toy_job()) for name in ("one", "other"))
    HyperparameterSweep(one, SLOPES, strategy="random", max_trials=1, name="night").run()

    with pytest.raises(AlreadyExistsError, match="'night-0' already exists") as caught:
        HyperparameterSweep(other, SLOPES, strategy="random", max_trials=1, name="night").run()
    (note,) = caught.value.__notes__  # and none that run() continues it
    assert "Choose another name for the sweep" in note


def test_points_that_differ_in_the_job_alone_are_resumed_apart(runs: Callable[..., ExperimentRunner]) -> None:
    runner, space = runs(PRINTING), {"x": [1.0], "job:environment.MODE": ["a", "b"]}
    HyperparameterSweep(runner, space, max_trials=1).run()
    board = HyperparameterSweep(runner, space).run(resume=True)

    assert sorted(str(trial.configuration["job:environment.MODE"]) for trial in board) == ["a", "b"]


def test_a_strategy_tries_points_that_are_listed_one_by_one(runs: Callable[..., ExperimentRunner]) -> None:
    """Which of them a trial has is found out again by the program that continues."""
    runner = runs(PRINTING)
    space: list[dict[str, Any]] = [{"x": 1.0}, {"x": 2.0, "y": [1]}, {"x": 2.0}]
    sweep: dict[str, Any] = {"name": "night"}
    HyperparameterSweep(runner, space, strategy=Listed(space[1]), max_trials=1, **sweep).run()
    second = Listed(space[0])
    HyperparameterSweep(runner, space, strategy=second, max_trials=2, **sweep).run()

    assert [dict(second.told[number].point) for number in (0, 1)] == [space[1], space[0]]


def test_a_string_of_json_is_not_the_list_that_it_shows(runs: Callable[..., ExperimentRunner]) -> None:
    board = HyperparameterSweep(runs(PRINTING), {"x": [1.0], "y": ["[1]", [1], 1, True, "1", None]}).run()

    assert [trial.hyperparameters["y"] for trial in board] == ["[1]", [1], 1, True, "1", None]


def test_points_that_are_the_same_are_rejected() -> None:
    with pytest.raises(ConfigError, match=r"\{'x': 2\.0\} occurs twice"):
        Space.of([{"x": 2}, {"x": 2.0}])


def test_the_points_to_try_first_are_those_of_a_short_grid() -> None:
    space = Space.of({"depth": [2, 5, 7]}, first=[{"depth": 7}])

    assert list(SweepSpec(space=space, max_trials=2).grid()) == [{"depth": 7}, {"depth": 2}]


def test_a_grid_that_is_continued_prunes_by_the_values_of_its_earlier_trials(
    runs: Callable[..., ExperimentRunner],
) -> None:
    pytest.importorskip("optuna")
    runner, space = runs(PRINTING), {"x": [1.0, -1.0]}
    for most in (1, 2):
        board = HyperparameterSweep(
            runner, space, pruner={"type": "median", "min_trials": 1}, max_trials=most, name="night"
        ).run()

    assert [trial.stop_reason for trial in board] == ["", "pruned at step 1 by median"]


def test_values_of_another_objective_are_not_those_of_the_objective(workspace: Workspace, tmp_path: Path) -> None:
    """An earlier sweep reported its loss; the accuracy of its trials is known, but not by step."""
    script = tmp_path / "two.py"
    script.write_text("print('loss=0.5; accuracy=0.9;')")
    metrics = {"loss": r"loss=(\S+);", "accuracy": r"accuracy=(\S+);"}
    job = JobSpec(str(script), metrics=metrics, arguments=[])
    old, new = (ExperimentRunner(workspace, name, job=job) for name in ("old", "new"))
    space = {"x": uniform(0, 1)}
    HyperparameterSweep(
        old, space, strategy=Listed({"x": 0.5}), max_trials=1, objective=Objective("loss", goal="minimize")
    ).run()
    strategy = Listed({"x": 0.25})
    HyperparameterSweep(
        new, space, strategy=strategy, max_trials=1, objective=Objective("accuracy"), warm_start="old"
    ).run()

    assert strategy.told[-1] == SweepTrial(-1, {"x": 0.5}, "completed", value=0.9)
    assert strategy.told[0].values == {1: 0.9}


def test_choosing_a_point_delays_no_pruning(runs: Callable[..., ExperimentRunner], tmp_path: Path) -> None:
    """The sampler chooses the third point until a running trial was pruned."""
    samplers = pytest.importorskip("tests.support.slow_sampler")
    samplers.PRUNED.clear()
    runner = runs(ASKED, hyperparameters={"asking": str(tmp_path / "asking")})
    board = HyperparameterSweep(
        runner,
        {"x": uniform(-1, 1)},
        strategy=samplers.SlowSampler(str(tmp_path / "asking")),
        pruner=samplers.Noticing(),
        points_first=[{"x": -1.0}, {"x": 1.0}],
        max_trials=3,
        max_parallel=2,
    ).run()

    assert samplers.WAITED == [True]
    assert [trial.is_pruned for trial in board if trial.hyperparameters["x"] == -1.0] == [True]
