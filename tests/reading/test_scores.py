"""The value that a leaderboard ranks by: of which values it is computed, and where they come from."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sent import count_calls

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, Leaderboard, Objective, Workspace
from mnist_tracking._aws.account import Account
from mnist_tracking._values.tally import LONGEST_TAIL, Tally
from mnist_tracking.reading.scores import score, score_note
from mnist_tracking.reading.trial import Trial, read_trial

LAST_TWO = Objective("score", statistic="last-2-mean")


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-10, 10))))
def test_a_tail_has_the_latest_values(values: list[tuple[int, float]]) -> None:
    tally = Tally("loss")
    for when, value in values:
        tally.add(value, when)

    assert tally.tail == tuple(value for _, value in sorted(values, key=lambda pair: pair[0])[-LONGEST_TAIL:])


def recorded(workspace: Account, *values: float) -> Trial:
    with (
        warnings.catch_warnings(action="ignore", category=UserWarning),
        ExperimentRunner(workspace, "scores").trial() as trial,
    ):
        for value in values:
            trial.log_metric("score", value)
    return read_trial(workspace, trial.name)


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        ((1.0, 2.0, 3.0, 5.0), 4.0, ""),
        ((1.0, 2.0), 1.5, ""),
        ((3.0,), 3.0, "mean of 1 value"),
        ((1.0, math.nan, 3.0, 5.0), 4.0, ""),
        ((1.0, 3.0, math.nan), None, "ends with nan"),
        ((), None, ""),
    ],
)
def test_the_mean_of_the_last_values(
    workspace: Workspace, values: tuple[float, ...], expected: float | None, note: str
) -> None:
    trial = recorded(workspace, *values)

    assert (score(trial, LAST_TWO), score_note(trial, LAST_TWO)) == (expected, note)


def test_a_job_that_was_waited_for_has_its_last_values_in_the_call_that_records_the_rest(
    runner: ExperimentRunner,
) -> None:
    updates = count_calls(runner.workspace, "UpdateTrialComponent")
    trial = runner.run({"slope": 2.0, "steps": 4})
    board = Leaderboard.load(runner.workspace, runner.name, objective=LAST_TWO)

    assert len(updates) == 1
    assert board[0].tails["score"] == trial.tails["score"] == (1.0, 1.5, 1.75, 1.875)
    assert score(board.best, LAST_TWO) == 1.8125
    assert "tail" not in str(board[0].hyperparameters)


def test_a_trial_without_its_last_values_is_unranked_until_its_log_is_read(runner: ExperimentRunner) -> None:
    low = runner.run({"slope": 1.0, "steps": 4})
    handle = runner.submit({"slope": 2.0, "steps": 4})
    list(handle.logs(follow=True))

    board = Leaderboard.load(runner.workspace, runner.name, objective=LAST_TWO)
    assert [(trial.name, score_note(trial, LAST_TWO)) for trial in board] == [
        (low.name, ""),
        (handle.name, "last values not recorded"),
    ]
    checked = board.check_logs()
    assert [trial.name for trial in checked] == [handle.name, low.name]
    assert score(checked[0], LAST_TWO) == 1.8125


def test_the_statistic_is_stored_with_the_experiment(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    ExperimentRunner(workspace, "stored", job=toy_job(objective=LAST_TWO))

    assert Leaderboard.load(workspace, "stored").objective == LAST_TWO


@pytest.mark.parametrize("statistic", ["last-1-mean", "last-21-mean", "last-05-mean", "mean", "last-5", 5, None, ""])
def test_an_unknown_statistic_is_rejected(statistic: Any) -> None:
    with pytest.raises(ConfigError, match=r"expected one of 'last', .*'last-5-mean' with a number from 2 to 20"):
        Objective("score", statistic=statistic)


def test_a_job_costs_its_billable_seconds_at_the_price_of_its_instances(
    workspace: Workspace, toy_job: Callable[..., JobSpec]
) -> None:
    runner = ExperimentRunner(workspace, "costs", job=toy_job(instance_count=2, instance_type="ml.c5.xlarge"))
    trial = runner.run({"steps": 1})
    described = workspace.client("sagemaker").describe_training_job(TrainingJobName=trial.job_name)
    read = workspace.trial(trial.name)

    assert read.billable_s == trial.billable_s == described["BillableTimeInSeconds"]
    assert (read.instance_type, read.instance_count) == ("ml.c5.xlarge", 2)
    assert read.cost == pytest.approx(2 * described["BillableTimeInSeconds"] * 0.204 / 3600, rel=1e-12)


def test_what_ran_without_a_job_or_was_not_waited_for_has_no_cost(runner: ExperimentRunner) -> None:
    handle = runner.submit({"steps": 1})
    list(handle.logs(follow=True))

    assert read_trial(runner.workspace, handle.name).cost is None
    assert recorded(runner.workspace, 1.0).cost is None


def test_an_objective_that_was_read_to_its_end_is_checked_even_if_another_metric_is_not_in_the_log(
    workspace: Workspace, tmp_path: Path
) -> None:
    """As the CNN's accuracy of each digit, which it writes to a file."""
    (tmp_path / "train.py").write_text(
        "import json, os, pathlib, time\n"
        "print('score=0.5;')\n"
        "metrics = pathlib.Path(os.environ['SAGEMAKER_METRICS_DIRECTORY'], '1.json')\n"
        "metrics.write_text(json.dumps({'MetricName': 'extra', 'Value': 1.0, 'Timestamp': time.time()}) + '\\n')\n"
    )
    job = JobSpec("train.py", source_dir=str(tmp_path), metrics={"score": "score=(.*?);"}, objective="score")
    ExperimentRunner(workspace, "files", job=job).run()
    (trial,) = Leaderboard.load(workspace, "files")

    assert (trial.is_checked, trial.unchecked) == (False, ["extra"])
    assert score_note(trial, Objective("score")) == ""
    assert score_note(trial, Objective("extra")) == "not checked"
