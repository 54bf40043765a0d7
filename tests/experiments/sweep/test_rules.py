"""When a sweep ends early: time, money, a good value, patience, failures; and what is attempted again."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking import ConfigError, ExperimentRunner, HyperparameterSweep, JobSpec, StopRules, Workspace
from mnist_tracking.experiments.sweep.rules import Limits
from mnist_tracking.experiments.sweep.strategies import SweepTrial

MakeJob = Callable[..., JobSpec]
PRICES = {"region": "here", "date": "2026-11-29", "source": "a test", "usd_per_hour": {"ml.m5.xlarge": 3600.0}}


@pytest.fixture
def sweep(runner: ExperimentRunner) -> Callable[..., HyperparameterSweep]:
    """Makes a sweep over slopes, whose scores are 0.875 times as high."""

    def make(*slopes: float, **settings: Any) -> HyperparameterSweep:
        return HyperparameterSweep(runner, {"slope": list(slopes)}, **settings)

    return make


def test_a_target_that_is_reached_ends_a_sweep(sweep: Callable[..., HyperparameterSweep]) -> None:
    night = sweep(1.0, 2.0, 3.0, stop=StopRules(target=1.75), name="night")
    board = night.run()

    assert len(board) == 2
    assert night.stopped_by == "target: a trial has reached 1.75"
    assert len(night.run()) == 2  # it is reached already
    assert len(sweep(1.0, 2.0, 3.0, name="night").run()) == 3


def test_patience_counts_the_trials_without_a_better_value(sweep: Callable[..., HyperparameterSweep]) -> None:
    night = sweep(1.0, 2.0, 1.5, 0.5, 4.0, stop=StopRules(patience=2))

    assert len(night.run()) == 4
    assert night.stopped_by == "patience: 2 trials ended without a better value"


def test_failures_end_a_sweep_with_the_reason_of_the_last(runner: ExperimentRunner) -> None:
    night = HyperparameterSweep(
        runner, {"behaviour": ["raise", "train"], "slope": [1.0, 2.0]}, stop=StopRules(failures=1)
    )

    assert len(night.run()) == 1
    assert night.stopped_by.startswith("failures: 1 trial failed, the last with ")
    assert "the data are up" in night.stopped_by


def test_time_that_is_over_stops_the_running_trials(runner: ExperimentRunner) -> None:
    night = HyperparameterSweep(runner, {"behaviour": ["hang"], "slope": [1.0, 2.0]}, stop=StopRules(max_time=4))
    board = night.run()

    assert [(trial.status, trial.stop_reason) for trial in board] == [
        ("Stopped", "stopped by the sweep, max_time: the limit of 4 s was reached")
    ]
    assert not board[0].is_pruned
    assert night.stopped_by == "max_time: the limit of 4 s was reached"


def test_no_trial_starts_that_the_money_may_not_suffice_for(tmp_path: Path, toy_job: MakeJob) -> None:
    """A trial may cost 10 dollars; the first costs one or two, and then 10 are not left."""
    with Workspace.embedded(home=tmp_path / "home", prices=PRICES) as workspace:
        runner = ExperimentRunner(workspace, "lines", job=toy_job(max_run_s=10))
        night = HyperparameterSweep(
            runner, {"slope": [1.0, 2.0]}, stop=StopRules(max_cost=10.5), max_parallel=2, name="night"
        )
        board = night.run()
        again = HyperparameterSweep(runner, {"slope": [1.0, 2.0]}, stop=StopRules(max_cost=15.0), name="night")

        assert len(board) == 1
        assert night.stopped_by.startswith(
            f"max_cost: ${board[0].cost:.2f} of $10.50 is spent, and another trial may cost $10.00"
        )
        assert len(again.run()) == 2
        with pytest.raises(ConfigError, match=r"max_cost=9 allows no trial: one may cost \$10\.00"):
            HyperparameterSweep(runner, {"slope": [1.0]}, stop=StopRules(max_cost=9))
        with pytest.raises(ConfigError, match=r"max_cost=99, but the price of the job's instance is not known"):
            HyperparameterSweep(
                runner, {"job:instance_type": ["ml.m5.xlarge", "ml.p9.xlarge"]}, stop=StopRules(max_cost=99)
            )


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"max_time": 0}, "max_time=0; expected seconds > 0"),
        ({"max_time": timedelta(0)}, r"max_time=0\.0; expected seconds > 0"),
        ({"max_time": "1h"}, "max_time='1h'; expected seconds"),
        ({"max_cost": float("nan")}, "max_cost=nan; expected US dollars > 0"),
        ({"target": True}, "target=True; expected a finite number"),
        ({"patience": 0}, "patience=0; expected an integer >= 1"),
        ({"failures": 1.5}, r"failures=1\.5; expected an integer >= 1"),
    ],
)
def test_wrong_rules_are_rejected(rules: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StopRules(**rules)


@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=30), st.integers(1, 5))
def test_patience_ends_a_sweep_at_the_first_row_in_vain(values: list[float | None], patience: int) -> None:
    limits = Limits(StopRules(patience=patience), "minimize", lambda: 0.0, None)
    in_vain, best = 0, float("inf")
    for number, value in enumerate(values):
        in_vain = 0 if value is not None and value < best else in_vain + 1
        best = min(best, float("inf") if value is None else value)
        limits.ended(SweepTrial(number, {}, "failed" if value is None else "completed", value=value))
        assert bool(limits.reason) == (in_vain >= patience)
        if limits.reason:
            return


def test_a_further_attempt_continues_from_the_checkpoints_of_the_first(workspace: Workspace, tmp_path: Path) -> None:
    """A job that fails for want of instances is repeated, as another trial; what it has saved is in the same place."""
    script = tmp_path / "counts.py"
    script.write_text(
        "import os, sys\nfrom pathlib import Path\n"
        "saved = Path(os.environ['SM_MODEL_DIR']).parent / 'checkpoints' / 'epochs.txt'\n"
        "done = int(saved.read_text()) if saved.exists() else 0\n"
        "print(f'epochs={done};')\nsaved.write_text(str(done + 1))\nsys.exit(done < 2)\n"
    )
    job = JobSpec(
        str(script),
        metrics={"epochs": r"epochs=(\S+);"},
        objective="epochs",
        estimator={"checkpoint_s3_uri": f"s3://{workspace.bucket}/checkpoints"},
    )

    def change(parsed: dict[str, str], **_: object) -> None:
        if parsed["TrainingJobStatus"] == "Failed":
            parsed["FailureReason"] = "CapacityError: no instances"

    workspace.client("sagemaker").meta.events.register("after-call.sagemaker.DescribeTrainingJob", change)
    runner = ExperimentRunner(workspace, "counts", job=job)
    board = HyperparameterSweep(runner, {"depth": [1]}, name="night", retries=2).run()
    none = HyperparameterSweep(runner, {"depth": [2]}, name="late", retries=0).run()

    assert board.best.metrics["epochs"].last == 2
    assert board.best.name.endswith("-a3")
    assert len(none) == len(board) + 1
