"""Strategies that draw: reproducible, rebuilt from trials alone, never the same point twice."""

import logging
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.strategies import WIDE, rebuilt, searched, strategy_of, trained

from mnist_tracking import ConfigError, choice, integers, loguniform, uniform
from mnist_tracking._values.recordable import comparable_items
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.strategies import SweepTrial

optuna = pytest.importorskip("optuna")
from mnist_tracking.experiments.sweep.strategies.search import Search  # noqa: E402 - which imports Optuna

DRAWING = ["random", "qmc", "tpe", "cmaes"]
DIMENSIONS = st.one_of(
    st.builds(uniform, st.just(0.0), st.floats(0.1, 10)),
    st.builds(loguniform, st.just(1e-3), st.floats(0.1, 10)),
    st.builds(partial(uniform, step=0.1), st.just(0.0), st.floats(0.15, 1)),
    st.builds(integers, st.just(1), st.integers(2, 100)),
    st.builds(partial(integers, step=3), st.just(0), st.integers(4, 100)),
    st.builds(partial(integers, step=8, log=True), st.just(8), st.integers(32, 100)),
    st.builds(
        choice, st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.text("ab")), min_size=1, unique=True)
    ),
    st.builds(choice, st.just([[1], {"a": 2}, 1, True, 1.5, "1"])),
)


def spaces() -> st.SearchStrategy[Space]:
    """Return spaces with two ranges, for CMA-ES, and anything beside them."""
    ranges = st.fixed_dictionaries({"x": st.just(uniform(0, 1)), "y": st.just(integers(1, 50))})
    return st.builds(
        lambda base, more, first: Space.of(
            {**base, **more},
            first=[{**{name: next(d.grid()) for name, d in more.items() if d.size}, "x": 0.5, "y": 7}]
            if first and all(d.size for d in more.values())
            else (),
        ),
        ranges,
        st.dictionaries(st.sampled_from("abc"), DIMENSIONS, max_size=2),
        st.booleans(),
    )


@pytest.mark.parametrize("name", DRAWING)
@given(space=spaces(), seed=st.integers())
@settings(max_examples=8, deadline=None)
def test_same_seed_proposes_the_same_points_also_if_rebuilt_before_each(name: str, space: Space, seed: int) -> None:
    make = partial(strategy_of, name, space, seed=seed)
    trials = searched(make, 14)

    assert searched(make, 14, is_rebuilt=True) == trials
    assert len({comparable_items(trial.point) for trial in trials}) == 14
    assert all(space.contains(trial.point) for trial in trials)


@pytest.mark.parametrize("name", [*DRAWING, "gp"])
def test_conditional_parameters_lists_and_none_are_drawn_alike_when_rebuilt(name: str) -> None:
    make = partial(strategy_of, name, WIDE, seed=3)
    trials = searched(make, 13)

    assert searched(make, 13, is_rebuilt=True) == trials
    assert all(WIDE.contains(trial.point) for trial in trials)
    assert {"momentum" in trial.point for trial in trials} == {True, False}


@pytest.mark.parametrize("name", DRAWING)
def test_rule_and_points_to_try_first_hold_when_rebuilt(name: str) -> None:
    first = [{"a": 1, "b": 5}, {"a": 2, "b": 9}]
    space = Space.of({"a": integers(1, 9), "b": integers(1, 9)}, where=lambda p: p["a"] < p["b"], first=first)
    make = partial(strategy_of, name, space)
    trials = searched(make, 20)

    assert searched(make, 20, is_rebuilt=True) == trials
    assert [dict(trial.point) for trial in trials[:2]] == first
    assert all(space.allows(dict(trial.point)) for trial in trials)


def test_another_seed_proposes_other_points() -> None:
    for name in DRAWING:
        assert searched(partial(strategy_of, name, WIDE, seed=1), 3) != searched(
            partial(strategy_of, name, WIDE, seed=2), 3
        )


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_logarithmic_range_of_integers_has_steps(name: str) -> None:
    trials = searched(partial(strategy_of, name, Space.of({"x": integers(8, 128, step=8, log=True)})), 16)

    found = [trial.point["x"] for trial in trials]
    assert set(found) == set(range(8, 129, 8))
    assert len({8, 16, 24, 32}.intersection(found[:8])) >= 3  # a quarter of the values, and half of the range


def test_step_of_a_range_is_exact() -> None:
    trials = searched(
        partial(strategy_of, "random", Space.of({"x": uniform(0, 0.5, step=0.1), "y": uniform(0, 1)})), 30
    )

    assert {trial.point["x"] for trial in trials} == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5}


@pytest.mark.parametrize("name", ["random", "qmc", "tpe"])
def test_sweep_of_a_finite_space_ends_when_all_of_it_was_tried(name: str) -> None:
    space = Space.of({"depth": integers(1, 3), "optimizer": ["sgd", "adam"]}, where=lambda point: point["depth"] != 2)
    trials = searched(partial(strategy_of, name, space), 100)

    assert {comparable_items(trial.point) for trial in trials} == {
        comparable_items(p) for p in space.points() if space.allows(p)
    }
    assert len(trials) == 4


def test_rule_that_skips_everything_is_an_error_that_names_it() -> None:
    space = Space.of({"x": uniform(0, 1)}, where=lambda _: False)

    with pytest.raises(ConfigError, match=r"where= has skipped 1,000 random points in a row"):
        strategy_of("random", space).ask()


def test_the_only_point_that_a_rule_keeps_is_found() -> None:
    """Random draws would hardly find it: the points of a finite space are gone through."""
    space = Space.of({"a": integers(1, 300), "b": integers(1, 300)}, where=lambda p: p == {"a": 150, "b": 270})

    assert [dict(trial.point) for trial in searched(partial(strategy_of, "tpe", space), 3)] == [{"a": 150, "b": 270}]


def test_rule_that_raises_does_not_break_the_strategy() -> None:
    rules = iter([lambda: 1 / 0])
    space = Space.of({"x": uniform(0, 1)}, where=lambda _: next(rules, lambda: True)())
    strategy = strategy_of("tpe", space)

    with pytest.raises(ZeroDivisionError):
        strategy.ask()
    assert strategy.ask() is not None


def test_points_that_were_asked_for_and_not_told_are_not_proposed_again() -> None:
    strategy = strategy_of("random", Space.of({"depth": integers(1, 20)}))

    assert sorted(point["depth"] for point in iter(strategy.ask, None)) == list(range(1, 21))  # type: ignore[type-var]


def test_point_outside_the_space_is_ignored() -> None:
    """As after the ranges of a sweep were narrowed; its trial still counts as one."""
    told = [SweepTrial(0, {"x": 5.0}, "completed", value=1.0), SweepTrial(1, {"y": 1}, "completed", value=1.0)]
    strategy = rebuilt(partial(strategy_of, "tpe", Space.of({"x": uniform(0, 1)})), told)

    point = strategy.ask()
    assert point is not None
    assert 0 <= point["x"] <= 1  # type: ignore[operator]


class Watching(optuna.samplers.RandomSampler):  # type: ignore[misc,name-defined]
    """A sampler of the user's own, which keeps what it saw of the study; its copies do, too."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.seen: list[tuple[str, float | None, dict[int, float]]] = []
        self.completed: list[tuple[dict[str, Any], float]] = []

    def __deepcopy__(self, _: object) -> "Watching":
        return self

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        self.seen = [(other.state.name, other.value, other.intermediate_values) for other in others]
        self.completed = [(other.params, other.value) for other in others if other.state.name == "COMPLETE"]
        return super().sample_independent(study, trial, name, distribution)


def seen_by_a_sampler(*trials: SweepTrial) -> list[tuple[str, float | None, dict[int, float]]]:
    sampler = Watching()
    strategy = rebuilt(partial(strategy_of, sampler, Space.of({"x": uniform(0, 1)})), list(trials))
    strategy.ask()
    return [trial for trial in sampler.seen if trial[0] != "FAIL"]  # of points that it proposed for the same numbers


@pytest.mark.parametrize(
    ("trial", "seen"),
    [
        (SweepTrial(0, {"x": 0.5}), ("RUNNING", None, {})),
        (SweepTrial(0, {"x": 0.5}, "completed", value=0.7, values={1: 0.7}), ("COMPLETE", 0.7, {1: 0.7})),
        (SweepTrial(0, {"x": 0.5}, "completed", values={1: 0.7, 2: math.nan}), ("PRUNED", 0.7, {1: 0.7})),
        (SweepTrial(0, {"x": 0.5}, "completed", value=math.inf), ("PRUNED", None, {})),
        (SweepTrial(0, {"x": 0.5}, "pruned", value=0.9, values={2: 0.4, 1: 0.9}), ("PRUNED", 0.4, {1: 0.9, 2: 0.4})),
        (SweepTrial(0, {"x": 0.5}, "stopped", values={1: 0.9}), ("PRUNED", 0.9, {1: 0.9})),
        (SweepTrial(-1, {"x": 0.5}, "completed", value=0.7), ("COMPLETE", 0.7, {})),
    ],
)
def test_sampler_sees_trials_of_other_programs(trial: SweepTrial, seen: object) -> None:
    assert seen_by_a_sampler(trial) == [seen]


@pytest.mark.parametrize(
    "trial", [SweepTrial(0, {"x": 0.5}, "failed", value=0.7), SweepTrial(0, {"x": 0.5}, "stopped")]
)
def test_sampler_learns_nothing_from_a_trial_that_failed_or_was_stopped_at_once(trial: SweepTrial) -> None:
    assert seen_by_a_sampler(trial) == []


def test_trial_is_ended_once() -> None:
    ended = SweepTrial(0, {"x": 0.5}, "completed", value=0.7)

    assert seen_by_a_sampler(SweepTrial(0, {"x": 0.5}), ended, ended, SweepTrial(0, {"x": 0.5})) == [
        ("COMPLETE", 0.7, {})
    ]


def test_trial_that_has_ended_is_not_entered_again() -> None:
    strategy = strategy_of(sampler := Watching(), Space.of({"x": uniform(0, 1)}))
    for value in (0.7, 0.8):
        strategy.tell(SweepTrial(0, {"x": 0.5}, "completed", value=value))
        strategy.ask()

    assert [trial for trial in sampler.seen if trial[0] == "COMPLETE"] == [("COMPLETE", 0.7, {})]


def test_trial_that_failed_may_be_tried_again() -> None:
    strategy = strategy_of(sampler := Watching(), Space.of({"x": uniform(0, 1)}))
    for status, value in (("failed", None), ("running", None), ("completed", 0.7)):
        strategy.tell(SweepTrial(0, {"x": 0.5}, status, value=value))  # type: ignore[arg-type]
        strategy.ask()

    assert [trial for trial in sampler.seen if trial[0] == "COMPLETE"] == [("COMPLETE", 0.7, {})]


def test_value_belongs_to_the_point_that_was_trained() -> None:
    """Another program has started the job of the slot, with a point of its own."""
    strategy = strategy_of(sampler := Watching(), Space.of({"x": uniform(0, 1)}))
    asked = strategy.ask()
    assert asked is not None
    for trial in (
        SweepTrial(0, asked),
        SweepTrial(0, {"x": 0.5}),
        SweepTrial(0, {"x": 0.5}, "completed", value=0.7),
        SweepTrial(1, asked, "completed", value=0.1),
    ):
        strategy.tell(trial)
        strategy.ask()

    completed = {params["x"]: value for params, value in sampler.completed}
    assert completed == {0.5: 0.7, asked["x"]: 0.1}


def test_tpe_finds_better_points_than_random_ones() -> None:
    space = Space.of({"x": uniform(0, 100), "y": uniform(0, 100)})
    mean = {
        name: sum(trial.value or 0 for trial in searched(partial(strategy_of, name, space, seed=5), 50)[25:]) / 25
        for name in ("tpe", "random")
    }

    assert mean["tpe"] > 1.2 * mean["random"]


def test_sampler_that_lists_all_points_ends_the_sweep() -> None:
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        brute = optuna.samplers.BruteForceSampler(seed=1)
    space = Space.of({"depth": integers(1, 3), "optimizer": ["sgd", "adam"]})
    grid = optuna.samplers.GridSampler({"depth": [1, 3], "optimizer": ["sgd"]})

    assert len(searched(partial(strategy_of, brute, space), 100)) == 6
    assert [trial.point["depth"] for trial in searched(partial(strategy_of, grid, space), 100)] in ([1, 3], [3, 1])


def test_sampler_of_optuna_keeps_its_settings_and_gets_the_seed_of_the_sweep() -> None:
    """Its own seed would propose the first point again in each program that continues the sweep."""
    sampler = optuna.samplers.TPESampler(seed=9, n_startup_trials=2)
    make = partial(strategy_of, sampler, WIDE)
    trials = searched(make, 8)

    assert searched(make, 8, is_rebuilt=True) == trials
    assert searched(partial(strategy_of, sampler, WIDE, seed=1), 8) != trials


def test_sampler_of_optuna_may_be_used_again() -> None:
    """It keeps what it has seen of a study, which another sweep has nothing to do with."""
    sampler = optuna.samplers.CmaEsSampler(seed=1)
    make = partial(strategy_of, sampler, WIDE)
    trials = searched(make, 8)
    searched(partial(strategy_of, sampler, Space.of({"x": uniform(0, 1), "y": uniform(0, 1)})), 8)

    assert searched(make, 8, is_rebuilt=True) == trials
    assert searched(partial(strategy_of, optuna.samplers.CmaEsSampler(seed=1), WIDE), 8) == trials


def test_sampler_that_cannot_be_copied_is_rejected() -> None:
    sampler = optuna.samplers.RandomSampler()
    sampler.lock = threading.Lock()

    with pytest.raises(ConfigError, match=r"strategy=<optuna.*RandomSampler.* cannot be copied"):
        strategy_of(sampler, WIDE)


def test_threads_ask_and_tell_at_once() -> None:
    strategy = strategy_of("tpe", WIDE, pruner="median")

    def run(number: int) -> object:
        point = strategy.ask()
        assert point is not None
        trial = SweepTrial(number, point)
        strategy.tell(trial)
        for step in range(1, 4):
            strategy.report(trial, step, 1 / (number + step))
        strategy.tell(trained(number, point))
        return comparable_items(point)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(run, range(40)))) == 40


def test_the_value_of_a_trial_belongs_to_the_point_that_its_job_has() -> None:
    """Another program has taken the slot, and started it with a point of its own."""
    search = Search(optuna.samplers.RandomSampler(), Space.of({"x": uniform(0, 1)}), "maximize", seed=0)
    asked = search.ask()
    assert asked is not None
    for trial in (SweepTrial(0, asked), SweepTrial(0, {"x": 0.9}), SweepTrial(0, {"x": 0.9}, "completed", value=2.0)):
        search.tell(trial)
        search.ask()

    ended = [trial for trial in search._study.trials if trial.state.name == "COMPLETE"]
    assert [(trial.params, trial.value) for trial in ended] == [({"x": 0.9}, 2.0)]


class Listing(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def optuna_log() -> Iterator[Listing]:
    handler = Listing()
    logging.getLogger("optuna").addHandler(handler)
    yield handler
    logging.getLogger("optuna").removeHandler(handler)


@pytest.mark.parametrize("name", [*DRAWING, "gp"])
def test_optuna_logs_nothing_and_is_left_as_it_was(name: str, optuna_log: Listing) -> None:
    """Warnings are errors in these tests, so it issues none, either."""
    verbosity = optuna.logging.get_verbosity()
    for pruner in ("median", "asha", "hyperband", "patience"):
        searched(partial(strategy_of, name, WIDE, pruner=pruner), 12)

    assert optuna_log.records == []
    assert optuna_log.filters == []
    assert optuna.logging.get_verbosity() == verbosity
    optuna.create_study()
    assert [record.levelname for record in optuna_log.records] == ["INFO"]
