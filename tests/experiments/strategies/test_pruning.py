"""Pruners: which running trials they stop, with any strategy, also in a study that was rebuilt."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.strategies import rebuilt

from mnist_tracking import Objective, integers, uniform
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.strategies import Strategy, SweepTrial, make_strategy

optuna = pytest.importorskip("optuna")

SPACE = Space.of({"depth": integers(1, 1000)})
PRUNERS = ["median", "asha", "hyperband", "patience", {"type": "asha", "min_iter": 2, "eta": 2}]


def pruning(pruner: Any, *, goal: str = "maximize", strategy: Any = "grid") -> Strategy:
    return make_strategy(strategy, pruner, SPACE, Objective("accuracy", goal=goal), seed=0)  # type: ignore[arg-type]


def running(number: int, values: Mapping[int, float] | None = None) -> SweepTrial:
    return SweepTrial(number, {"depth": number + 1}, values=values or {})


def completed(number: int, *values: float) -> SweepTrial:
    by_step = dict(enumerate(values, start=1))
    return SweepTrial(number, {"depth": number + 1}, "completed", value=values[-1], values=by_step)


def stopped_at(strategy: Strategy, number: int, *values: float, first: int = 1) -> int | None:
    """Report a trial's values, from a step on, and return the step at which it is stopped; end the trial."""
    reported: dict[int, float] = {}
    strategy.tell(running(number))
    for step, value in enumerate(values, start=first):
        is_stopped = strategy.report(running(number, reported), step, value)
        reported[step] = value
        if is_stopped:
            strategy.tell(SweepTrial(number, {"depth": number + 1}, "pruned", values=reported))
            return step
    strategy.tell(completed(number, *values))
    return None


def test_median_stops_a_trial_that_is_worse_than_half_of_the_completed_ones() -> None:
    strategy = rebuilt(partial(pruning, "median"), [completed(number, 0.5, 0.6, 0.7) for number in range(5)])

    assert stopped_at(strategy, 5, 0.4, 0.7, 0.8) == 1
    assert stopped_at(strategy, 6, 0.5, 0.5, 0.8) == 2
    assert stopped_at(strategy, 7, 0.5, 0.6, 0.6) == 3
    assert stopped_at(strategy, 8, 0.5, 0.6, 0.7) is None


def test_median_stops_none_of_the_first_five() -> None:
    strategy = rebuilt(partial(pruning, "median"), [completed(number, 0.5) for number in range(4)])

    assert stopped_at(strategy, 4, 0.1) is None
    assert stopped_at(strategy, 5, 0.1) == 1


def test_lower_values_are_better_if_the_objective_is_minimized() -> None:
    trials = [completed(number, 0.5, 0.4) for number in range(5)]

    assert stopped_at(rebuilt(partial(pruning, "median", goal="minimize"), trials), 5, 0.4, 0.3) is None
    assert stopped_at(rebuilt(partial(pruning, "median", goal="minimize"), trials), 6, 0.6) == 1


def test_asha_keeps_the_best_quarter_at_steps_1_4_and_16() -> None:
    strategy = pruning("asha")
    for number in range(8):
        stopped_at(strategy, number, *[number / 10] * 20)

    assert stopped_at(strategy, 8, *[0.1] * 20) == 1
    assert stopped_at(strategy, 9, *[0.9] * 3, *[0.1] * 17) == 4
    assert stopped_at(strategy, 10, *[0.9] * 15, *[0.1] * 5) == 16
    assert stopped_at(strategy, 11, *[1.0] * 20) is None


def test_hyperband_stops_trials_once_one_has_completed() -> None:
    strategy = pruning("hyperband")
    assert stopped_at(strategy, 0, *[0.9] * 9) is None

    assert any(stopped_at(strategy, number, *[0.5 - number / 100] * 9) for number in range(1, 10))


def test_hyperband_takes_the_limits_of_a_sweep_file() -> None:
    """As Weights & Biases reads them, s brackets of 27 steps begin at 27 / 3**s."""
    strategy = pruning({"type": "hyperband", "max_iter": 27, "s": 2, "eta": 3})
    stops = {stopped_at(strategy, number, *[0.5 - number / 100] * 27) for number in range(20)}

    assert stops <= {3, 9, 27, None}
    assert 3 in stops


def test_patience_stops_a_trial_that_has_become_worse_for_longer() -> None:
    strategy = pruning({"type": "patience", "patience": 2})

    assert stopped_at(strategy, 0, 0.5, 0.6, 0.5, 0.5, 0.7, 0.6, 0.6) is None
    assert stopped_at(strategy, 1, 0.5, 0.6, 0.5, 0.5, 0.5, 0.5) == 5


@pytest.mark.parametrize("pruner", PRUNERS)
def test_trial_whose_value_is_nan_has_diverged_and_is_stopped(pruner: Any) -> None:
    strategy = pruning(pruner)

    assert stopped_at(strategy, 0, 0.5, math.nan) == 2
    assert strategy.report(running(1), 1, math.nan)
    assert strategy.report(running(1), 2, 0.9), "it stays stopped"


@pytest.mark.parametrize("pruner", PRUNERS)
def test_infinite_value_is_compared_like_any_other(pruner: Any) -> None:
    strategy = pruning(pruner)

    assert not strategy.report(running(0), 1, math.inf)


@pytest.mark.parametrize("pruner", PRUNERS)
@given(
    curves=st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=9), min_size=1, max_size=8),
    new=st.lists(st.floats(0, 1), min_size=1, max_size=9),
)
@settings(max_examples=25, deadline=None)
def test_rebuilt_pruner_decides_as_the_one_that_saw_all_values(
    pruner: Any, curves: list[list[float]], new: list[float]
) -> None:
    """Also for a trial that was running when the program ended: its earlier values are told with it."""
    live, told = pruning(pruner), []
    for number, curve in enumerate(curves):
        step = stopped_at(live, number, *curve)
        values = dict(enumerate(curve[:step], 1))
        ended = partial(SweepTrial, number, {"depth": number + 1}, value=curve[-1], values=values)
        told.append(ended("completed" if step is None else "pruned"))
    number, middle = len(curves), len(new) // 2
    step = stopped_at(live, number, *new)

    assert stopped_at(rebuilt(partial(pruning, pruner), told), number, *new) == step
    if step is None or step > middle:
        joined = rebuilt(partial(pruning, pruner), [*told, running(number, dict(enumerate(new[:middle], 1)))])
        assert stopped_at(joined, number, *new[middle:], first=middle + 1) == step


@pytest.mark.parametrize("pruner", PRUNERS)
@given(values=st.dictionaries(st.integers(0, 20), st.floats(0, 1), min_size=1), order=st.randoms())
@settings(max_examples=25, deadline=None)
def test_values_may_be_late_repeated_or_missing(pruner: Any, values: dict[int, float], order: Any) -> None:
    strategy = rebuilt(partial(pruning, pruner), [completed(number, *[0.5] * 20) for number in range(6)])
    steps = [*values, *values]
    order.shuffle(steps)
    decisions = [strategy.report(running(6), step, values[step]) for step in steps]

    assert decisions == sorted(decisions), "a trial that was stopped stays stopped"
    for _ in range(2):
        strategy.tell(SweepTrial(6, {"depth": 7}, "pruned", values=values))
    assert not strategy.report(running(6), 21, 0.0), "it has ended"


def test_other_strategies_prune_alike() -> None:
    """The grid, a sampler and a strategy of one's own: what chooses the points has no say in it."""

    class Fixed:
        def ask(self) -> dict[str, int]:
            return {"depth": 3}

        def report(self, trial: SweepTrial, step: int, value: float) -> bool:
            return step == 4

        def tell(self, trial: SweepTrial) -> None: ...

    for strategy in ("grid", "random", "tpe", Fixed()):
        told = rebuilt(
            partial(pruning, "median", strategy=strategy), [completed(number, 0.5, 0.5) for number in range(5)]
        )
        assert told.ask() is not None
        assert stopped_at(told, 5, 0.5, 0.4) is None
        assert stopped_at(told, 6, 0.4) == 1
    assert stopped_at(told, 7, 0.5, 0.5, 0.5, 0.5) == 4, "it may stop trials itself"


def test_pruner_of_optuna_is_used_as_it_is() -> None:
    strategy = pruning(optuna.pruners.ThresholdPruner(lower=0.2))

    assert stopped_at(strategy, 0, 0.3, 0.1) == 2


def test_pruner_of_optuna_may_be_used_again() -> None:
    """Hyperband keeps the number of steps of the first trial that it saw complete."""
    pruner = optuna.pruners.HyperbandPruner()
    curves = [[0.5 - number / 100] * 9 for number in range(10)]
    stopped = [
        [stopped_at(strategy, number, *curve) for number, curve in enumerate(curves)]
        for strategy in (pruning(pruner), pruning("hyperband"), pruning(pruner))
    ]

    assert stopped[0] == stopped[1] == stopped[2]


def test_trial_that_failed_and_is_tried_again_is_compared_again() -> None:
    strategy = rebuilt(partial(pruning, "median"), [completed(number, 0.5) for number in range(5)])
    strategy.tell(SweepTrial(5, {"depth": 6}, "failed", values={1: 0.4}))

    assert stopped_at(strategy, 5, 0.4) == 1


def test_without_a_pruner_no_trial_is_stopped() -> None:
    for pruner in (None, "none", {"type": "none"}):
        assert stopped_at(pruning(pruner, strategy="random"), 0, 0.5, math.nan) is None


def test_pruned_trials_inform_the_sampler() -> None:
    """TPE ranks them by how far they came: it need not complete a bad trial to learn from it."""
    space = Space.of({"x": uniform(0, 1)})
    strategy = make_strategy("tpe", "median", space, Objective("accuracy"), seed=1)
    for number in range(30):
        point = strategy.ask()
        assert point is not None
        x = float(point["x"])  # type: ignore[arg-type]
        is_bad = x < 0.8
        strategy.tell(
            SweepTrial(number, point, "pruned" if is_bad else "completed", value=None if is_bad else x, values={1: x})
        )
    proposed = [strategy.ask() for _ in range(10)]

    assert sum(point["x"] > 0.7 for point in proposed if point) >= 7  # type: ignore[operator]
