"""When a job counts as ended: its component shows how it ended, and the final value of each metric."""

import math
import warnings
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.late import Account
from tests.support.sent import Sent

from mnist_tracking import (
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    StateError,
)
from mnist_tracking._aws.jobs import wait_for_job
from mnist_tracking._aws.outcomes import outstanding_metrics
from mnist_tracking.embedded import Lag
from mnist_tracking.types import Metric


@pytest.fixture
def runner(account: Account, calls: Sent, toy_job: Callable[..., JobSpec]) -> ExperimentRunner:
    return ExperimentRunner(account[1], "lines", job=toy_job())


def metric(last: float) -> Metric:
    return Metric("score", last, last, last, last, 0.0, 1)


def is_outstanding(last: float | None, final: float) -> bool:
    metrics = {} if last is None else {"score": metric(last)}
    return outstanding_metrics({"FinalMetricDataList": [{"MetricName": "score", "Value": final}]}, metrics) != ()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_value_is_known_by_its_32_bits(value: float) -> None:
    import ctypes

    assert not is_outstanding(value, ctypes.c_float(value).value)


@pytest.mark.parametrize(
    ("last", "final"),
    [(None, 0.5), (0.5, 0.25), (0.875, 0.875001), (1.0, -1.0), (0.0, 1e-6), (1e30, math.inf), (None, 0.0)],
)
def test_another_value_is_outstanding(last: float | None, final: float) -> None:
    assert is_outstanding(last, final)


def test_metrics_that_the_job_does_not_have_are_not_waited_for() -> None:
    assert outstanding_metrics({}, {"score": metric(1.0)}) == ()


def test_a_run_returns_with_the_values_that_came_after_the_status(account: Account, runner: ExperimentRunner) -> None:
    engine, _, clock = account
    engine.lag = Lag(metrics_s=(40.0, 100.0), components_s=(1.0, 60.0))

    trial = runner.run()

    assert (trial.status, trial.metrics["score"].last, trial.metrics["score"].count) == ("Completed", 1.75, 3)
    assert trial.model_uri is not None
    assert trial.duration_s is not None
    assert 40 < clock.seconds < 130


def test_values_that_do_not_come_are_a_warning_and_no_winner(account: Account, runner: ExperimentRunner) -> None:
    engine, workspace, clock = account
    engine.lag = Lag(metrics_s=10_000.0)

    with pytest.warns(UserWarning, match="final value of 'error', 'score' within 120 s") as told:
        trial = runner.run(name="late")
    assert len(told) == 1
    assert (trial.status, dict(trial.metrics)) == ("Completed", {})
    assert 120 <= clock.seconds < 140
    with pytest.raises(StateError, match="do not show the final value of 'score' yet: late; load") as caught:
        _ = Leaderboard.load(workspace, "lines").best
    assert caught.value.reason == "outstanding"
    clock.seconds += 10_000
    assert Leaderboard.load(workspace, "lines").best.metrics["score"].last == 1.75


def test_a_value_that_was_lost_is_not_waited_for_twice(account: Account, runner: ExperimentRunner) -> None:
    engine, workspace, clock = account
    runner.run(name="old")
    engine.lag = Lag(metrics_s=10_000.0)
    with engine.store.write() as connection:
        connection.execute("UPDATE training_jobs SET ended = ended - 1000")
    before = clock.seconds

    with pytest.warns(UserWarning, match="does not show the final value"):
        workspace.submitted("old").result()
    assert clock.seconds == before


def test_an_earlier_value_is_not_taken_for_the_final_one(account: Account, runner: ExperimentRunner) -> None:
    engine, workspace, clock = account
    runner.run(name="whole")
    engine.lag = Lag(metrics_s=1000.0)
    with engine.store.write() as connection:
        connection.execute("UPDATE metric_values SET timestamp = timestamp - 2000 WHERE value = 1.0")
    board = Leaderboard.load(workspace, "lines")

    assert board[0].metrics["score"].last == 1.0
    with pytest.raises(StateError, match="whole"):
        _ = board.best
    clock.seconds += 1000
    assert Leaderboard.load(workspace, "lines").best.metrics["score"].last == 1.75


def test_a_component_that_does_not_appear_is_read_from_its_job(account: Account, runner: ExperimentRunner) -> None:
    engine, workspace, clock = account
    engine.lag = Lag(components_s=10_000.0)
    with pytest.warns(UserWarning, match=r"does not show its end and the final value of .*'score' within 120 s"):
        late = runner.run(name="late")

    assert (late.status, late.hyperparameters, late.metrics) == ("Completed", {}, {})
    clock.seconds += 10_000
    trial = workspace.submitted("late").result()
    assert trial.status == "Completed"
    assert workspace.trial("late").steps[0].tags["mnist-tracking:created-by"]


def test_a_sweep_trains_every_point_though_components_are_later_than_it_waits(
    account: Account, runner: ExperimentRunner
) -> None:
    engine, workspace, clock = account
    engine.lag = Lag(components_s=10_000.0)
    with pytest.warns(UserWarning, match="does not show its end"):
        board = HyperparameterSweep(runner, {"slope": [1.0, 2.0, 3.0]}, name="late").run()

    assert [trial.status for trial in board] == ["Completed"] * 3
    with pytest.raises(StateError, match="late-"):
        _ = board.best
    clock.seconds += 10_000
    assert Leaderboard.load(workspace, "lines").best.hyperparameters["slope"] == 3.0


def test_a_trial_whose_job_was_never_started_is_a_clear_error(account: Account, runner: ExperimentRunner) -> None:
    """A killed program leaves such a trial."""
    workspace = account[1]
    tags = [{"Key": "mnist-tracking:job", "Value": "never"}]
    workspace.client("sagemaker").create_trial(TrialName="left", ExperimentName="lines", Tags=tags)

    with pytest.raises(StateError, match="has no training job to wait for"):
        workspace.submitted("left")


def test_a_trial_is_read_from_its_job_until_its_component_appears(account: Account, runner: ExperimentRunner) -> None:
    engine, workspace, clock = account
    engine.lag = Lag(components_s=10_000.0)
    submitted = runner.submit({"slope": 4.0}, name="early")
    wait_for_job(workspace, submitted.job_name)
    early = workspace.trial("early")
    (ranked,) = Leaderboard.load(workspace, "lines")
    clock.seconds += 20_000
    late = workspace.trial("early")

    assert early.metrics == {}
    assert early == ranked == attrs.evolve(late, metrics={}, provenance=early.provenance)
    assert (early.status, early.hyperparameters) == ("Completed", {"slope": 4.0})
    assert early.model_uri is not None


def test_search_is_not_asked_while_a_trial_trains(calls: Sent, runner: ExperimentRunner) -> None:
    calls.clear()
    runner.run()
    asked = [operation for operation, _ in calls]

    assert "Search" not in asked
    assert asked.count("DescribeTrialComponent") == 2  # to tag it, and for its outcome


def test_only_trials_that_may_be_incomplete_are_compared_with_their_jobs(
    account: Account, calls: Sent, runner: ExperimentRunner
) -> None:
    engine, workspace, _ = account
    swept = HyperparameterSweep(runner, {"slope": [1.0, 2.0]}).run()
    recent = Leaderboard.load(workspace, "lines")
    with engine.store.write() as connection:
        connection.execute("UPDATE components SET ended = ended - 1000")
    old = Leaderboard.load(workspace, "lines")
    asked = []
    for board in (swept, recent, old):
        calls.clear()
        assert board.best.hyperparameters["slope"] == 2
        asked.append([operation for operation, _ in calls])

    assert asked == [[], ["DescribeTrainingJob"] * 2, []]


def test_a_trial_that_failed_keeps_no_winner_back(account: Account, runner: ExperimentRunner) -> None:
    engine, workspace, _ = account
    runner.submit({"behaviour": "exit"}, name="failed").wait()
    good = runner.run(name="good")
    engine.lag = Lag(metrics_s=10_000.0)
    with engine.store.write() as connection:
        connection.execute("UPDATE metric_values SET timestamp = timestamp - 20000")

    assert Leaderboard.load(workspace, "lines").best.name == good.name


def test_no_warning_where_nothing_is_late(runner: ExperimentRunner) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert runner.run().status == "Completed"
