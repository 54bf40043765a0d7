"""How trials stand while they train: counts, the best, the time that is left, in bounded memory."""

import gc
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.trials import a_trial

from mnist_tracking import JobSpec, Objective, Workspace
from mnist_tracking.experiments.progress.standing import Planned, Row, Standing
from mnist_tracking.types import Prices

ACCURACY = "validation:accuracy"


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def standing(clock: Clock | None = None, *, objective: Objective | str | None = ACCURACY, **more: Any) -> Standing:
    job = JobSpec(__file__, metrics={ACCURACY: "accuracy=(.*)"}, objective=objective)
    return Standing(job, Planned(names=["hidden_channels"], sweep="demo-trial", **more), clock=clock or Clock())


def start(standing: Standing, channels: int) -> Row:
    return standing.start(f"demo-trial-{channels}", {"hidden_channels": channels, "epochs": 3})


def end(standing: Standing, workspace: Workspace, channels: int, status: str = "Completed", **changes: Any) -> Row:
    return standing.end(a_trial(workspace, channels, status, **changes))


@pytest.mark.parametrize(("goal", "best"), [("maximize", 2), ("minimize", 5)])
def test_the_best_is_by_the_objective_and_has_completed(workspace: Workspace, goal: Any, best: int) -> None:
    trials = standing(objective=Objective(ACCURACY, goal=goal))
    ends = [(2, "Completed", 90.0, ""), (5, "Completed", 80.0, "")]
    ends += [(10, "Stopped", 95.0, "pruned at step 3 by asha"), (20, "Stopped", 70.0, "stopped on request")]
    for channels, status, accuracy, reason in ends:
        start(trials, channels)
        end(trials, workspace, channels, status, accuracy=accuracy, stop_reason=reason)
    start(trials, 30)
    end(trials, workspace, 30, "Failed")

    assert trials.best is not None
    assert trials.best.point == {"hidden_channels": best}
    assert trials.best_so_far() == f"best {ACCURACY} {trials.best.value:g} in trial {best}: hidden_channels={best}"
    assert trials.summary() == "2 completed, 1 pruned, 1 stopped, 1 failed"


def test_a_trial_that_diverged_is_counted_and_is_not_the_best(workspace: Workspace) -> None:
    trials = standing()
    start(trials, 2)
    row = end(trials, workspace, 2, non_finite={ACCURACY: "nan"})

    assert (row.value, row.last[ACCURACY]) == (None, "nan")
    assert (trials.best, trials.summary()) == (None, "1 completed, 1 diverged")


def test_without_an_objective_the_first_metric_is_followed_and_nothing_is_best(workspace: Workspace) -> None:
    trials = standing(objective=None)
    row = start(trials, 2)
    trials.report(row, ACCURACY, 50.0)
    end(trials, workspace, 2)

    assert (trials.followed, row.value, trials.best_so_far()) == (ACCURACY, 87.125, "")


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.sampled_from(["last", "max", "min", "avg", "last-3-mean"]),
)
def test_the_value_so_far_is_that_of_the_statistic(values: list[float], statistic: str) -> None:
    trials = standing(objective=Objective(ACCURACY, statistic=statistic))
    row = start(trials, 2)
    for value in values:
        trials.report(row, ACCURACY, value)
        trials.report(row, "train:loss", -value)
    tail = values[-3:]
    expected = {
        "last": values[-1],
        "max": max(values),
        "min": min(values),
        "avg": sum(values) / len(values),
        "last-3-mean": sum(tail) / len(tail),
    }

    assert row.value == pytest.approx(expected[statistic], abs=1e-6)
    assert row.last == {ACCURACY: values[-1], "train:loss": -values[-1]}


def test_the_time_left_is_estimated_from_the_trials_that_have_ended(workspace: Workspace) -> None:
    """Two train at once, for 60 seconds on average; failed trials do not count."""
    clock = Clock()
    trials = standing(clock, total=8, max_parallel=2)
    start(trials, 0)
    assert [trials.left_s] == [None]
    end(trials, workspace, 0, "Failed")
    assert [trials.left_s] == [None]
    for channels, took in ((2, 40.0), (5, 80.0)):
        start(trials, channels)
        clock.now += took
        end(trials, workspace, channels)
    for channels in (10, 20):
        start(trials, channels)
    clock.now += 30.0

    assert trials.left_s == (3 * 60 + 2 * 30) / 2
    assert trials.summary() == "2 running, 3 waiting, 2 completed, 1 failed, about 2 min left"


def test_the_last_trial_is_waited_for_at_least_as_long_as_it_needs(workspace: Workspace) -> None:
    clock = Clock()
    trials = standing(clock, total=2, max_parallel=4)
    start(trials, 2)
    clock.now += 60.0
    end(trials, workspace, 2)
    start(trials, 5)
    clock.now += 10.0
    assert trials.left_s == 50.0
    clock.now += 100.0
    assert trials.left_s == 0.0

    end(trials, workspace, 5)
    assert trials.summary() == "2 completed"


def test_a_repeated_trial_is_one_more(workspace: Workspace) -> None:
    trials = standing(total=1)
    for channels in (2, 5):
        start(trials, channels)

    assert trials.total == 2


def test_points_that_were_announced_are_waiting_until_they_start() -> None:
    job = JobSpec(__file__)
    trials = Standing(job, Planned([{"lr": 0.1}, {"lr": 0.2}], ["lr"]), clock=Clock())
    row = trials.start("b", {"lr": 0.2, "epochs": 1})

    assert [(row.values, row.status) for row in trials.rows(5)] == [("lr=0.2", "starting"), ("lr=0.1", "waiting")]
    assert (row.number, trials.total) == (1, 2)


def test_where_not_all_have_room_the_best_and_the_running_are_shown(workspace: Workspace) -> None:
    trials = standing(total=1_000)
    for channels in range(300):
        start(trials, channels)
        end(trials, workspace, channels, accuracy=channels / 10)
    for channels in range(1_000, 1_004):
        start(trials, channels)

    shown = [row.point["hidden_channels"] for row in trials.rows(10)]

    assert shown == [299, 298, 297, 296, 295, 294, 1_000, 1_001, 1_002, 1_003]
    assert [row.point["hidden_channels"] for row in trials.rows(3)] == [299, 1_000, 1_001]


def test_memory_does_not_grow_with_trials_and_values(workspace: Workspace) -> None:
    trials = standing(total=10_000)
    finished = a_trial(workspace, 1)

    def train(count: int) -> None:
        for _ in range(count):
            row = trials.start(finished.name, {"hidden_channels": 1})
            for value in range(200):
                trials.report(row, ACCURACY, float(value))
            trials.end(finished)

    tracemalloc.start()
    try:
        train(150)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        train(200)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert after - before < 20_000
    assert len(trials.rows(10_000)) == 100


def test_cost_is_the_sum_of_what_is_known_with_the_date_of_the_prices(workspace: Workspace) -> None:
    trials = standing()
    costs: dict[str, Any] = {"instance_type": "ml.m5.xlarge", "instance_count": 1}
    for channels, billable_s in ((2, None), (5, 1_800), (10, 3_600)):
        start(trials, channels)
        end(trials, workspace, channels, billable_s=billable_s, **costs)
    price = workspace.prices.usd_per_hour["ml.m5.xlarge"]

    assert trials.summary() == f"3 completed, {1.5 * price:.2f} USD at list prices of {workspace.prices.date}"
    assert isinstance(workspace.prices, Prices)


def test_trials_that_ended_before_are_counted_and_can_be_the_best(workspace: Workspace) -> None:
    """As when a sweep is resumed: their durations count, and their points wait no longer."""
    trials = standing(points=[{"hidden_channels": 2}, {"hidden_channels": 5}], total=4)
    trials.found(a_trial(workspace, 2, reported={1: 80.0, 2: 87.125}, duration_s=60.0))

    assert trials.summary() == "3 waiting, 1 completed, about 3 min left"
    assert trials.best_so_far() == f"best {ACCURACY} 87.125 in trial 2: hidden_channels=2"
    best, waiting = trials.rows(10)
    assert (list(best.curve), best.seconds(0.0)) == ([80.0, 87.125], 60.0)
    assert (waiting.point, waiting.status) == ({"hidden_channels": 5}, "waiting")


def test_once_it_is_over_nothing_is_waiting(workspace: Workspace) -> None:
    trials = standing(total=4)
    start(trials, 2)
    end(trials, workspace, 2)
    trials.is_over = True

    assert trials.summary() == "3 not trained, 1 completed"
