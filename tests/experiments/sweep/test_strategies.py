"""Strategies and pruners in sweeps of real jobs: what SageMaker gives back of a point is the point."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.support.strategies import WIDE

from mnist_tracking import (
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    Objective,
    Workspace,
    fixed,
    uniform,
)
from mnist_tracking.experiments.sweep.strategies import SweepTrial

optuna = pytest.importorskip("optuna")

SCRIPT = """
import json, os, signal
given = json.loads(os.environ["SM_HPS"])
for epoch in range(1, 7):
    print(f"Epoch {epoch}: accuracy={given.get('lr', given.get('x')) * epoch!r};", flush=True)
    if given.get("x", 0) < 0 and epoch == given.get("last", 1):
        signal.pause()  # until it is stopped
"""
SAMPLERS: dict[str, Callable[[], Any]] = {
    "cmaes": lambda: "cmaes",
    "tpe": lambda: optuna.samplers.TPESampler(n_startup_trials=2),
    "gp": lambda: optuna.samplers.GPSampler(n_startup_trials=2),
}


@pytest.fixture
def job(tmp_path: Path) -> JobSpec:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return JobSpec(str(script), metrics={"accuracy": r"accuracy=(\S+);"}, objective=Objective("accuracy"), arguments=[])


def points(workspace: Workspace, experiment: str) -> list[dict[str, Any]]:
    """The points of a sweep, in the order of their numbers."""
    trials = sorted(Leaderboard.load(workspace, experiment), key=lambda trial: trial.name)
    return [{name: trial.hyperparameters.get(name) for name in WIDE.dimensions} for trial in trials]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_kind_of_parameter_comes_back_from_the_experiment(name: str, workspace: Workspace, job: JobSpec) -> None:
    """Or the program that continues would propose other points than the one that was not interrupted."""
    whole, parts = (ExperimentRunner(workspace, f"{name}-{kind}", job=job) for kind in ("whole", "parts"))
    HyperparameterSweep(whole, WIDE, strategy=SAMPLERS[name](), max_trials=4, name=f"{name}-whole").run()
    for most in (2, 4):
        HyperparameterSweep(parts, WIDE, strategy=SAMPLERS[name](), max_trials=most, name=f"{name}-parts").run()

    assert points(workspace, parts.name) == points(workspace, whole.name)
    assert len({str(point) for point in points(workspace, whole.name)}) == 4


@pytest.mark.parametrize(
    ("pruner", "step"),
    [("asha", 1), ({"type": "median", "min_trials": 1}, 1), ({"type": "patience", "patience": 1}, 3)],
)
def test_pruner_stops_jobs_also_in_the_program_that_continues(
    workspace: Workspace, job: JobSpec, pruner: Any, step: int
) -> None:
    """The second one has the values of the first trial from the experiment."""
    runner = ExperimentRunner(workspace, "pruned", job=attrs.evolve(job, hyperparameters={"last": step}))
    first = [{"x": 1.0}, {"x": -0.5}, {"x": -0.25}]
    for most in (2, 3):
        board = HyperparameterSweep(
            runner,
            {"x": uniform(-1, 1)},
            strategy="tpe",
            pruner=pruner,
            points_first=first,
            max_trials=most,
            name="night",
        ).run()

    kind = pruner if isinstance(pruner, str) else pruner["type"]
    reasons = {trial.hyperparameters["x"]: trial.stop_reason for trial in board}
    assert reasons == {1.0: "", **dict.fromkeys((-0.5, -0.25), f"pruned at step {step} by {kind}")}
    assert board.best.hyperparameters["x"] == 1.0


class Told:
    """A strategy that tries one point, and keeps the numbers of what it is told."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()

    def ask(self) -> dict[str, Any]:
        return {"x": 0.5, "last": 1}

    def report(self, trial: SweepTrial, step: int, value: float) -> bool:
        return False

    def tell(self, trial: SweepTrial) -> None:
        self.numbers.add(trial.number)


@pytest.mark.parametrize(("last", "numbers"), [(1, {-1, 0}), (2, {0})])
def test_earlier_trials_with_another_fixed_value_are_left_out(
    workspace: Workspace, job: JobSpec, last: int, numbers: set[int]
) -> None:
    """Such as the number of epochs: their values are not comparable."""
    ExperimentRunner(workspace, "old", job=job).run({"x": 1.0, "last": last})
    runner = ExperimentRunner(workspace, "new", job=job)
    space = {"x": uniform(0, 1), "last": fixed(1)}
    HyperparameterSweep(runner, space, strategy=(told := Told()), max_trials=1, warm_start="old").run()

    assert told.numbers == numbers
