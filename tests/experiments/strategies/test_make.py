"""What a strategy and a pruner may be, and what is said of anything else, before a sweep starts."""

import pickle
import re
import sys
from typing import Any

import pytest
from tests.support.strategies import WIDE

from mnist_tracking import ConfigError, MissingDependencyError, Objective, integers, uniform, when
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.strategies import Strategy, SweepTrial, make_strategy, name_of

SPACE = Space.of({"x": uniform(0, 1), "y": integers(1, 9)})


def made(strategy: Any = "random", pruner: Any = None, space: Space = SPACE, **options: Any) -> Strategy:
    given = {"objective": Objective("accuracy"), "seed": 0, **options}
    return make_strategy(strategy, pruner, space, given.pop("objective"), **given)


class Halving:
    """A strategy of the user's own: halves x each time."""

    def __init__(self, x: float = 1.0) -> None:
        self.x, self.told = x, list[SweepTrial]()

    def ask(self) -> dict[str, Any] | None:
        self.x /= 2
        return {"x": self.x, "y": 1} if self.x > 0.1 else None

    def report(self, trial: SweepTrial, step: int, value: float) -> Any:
        return None if value > 0 else "stop"

    def tell(self, trial: SweepTrial) -> None:
        self.told.append(trial)


def test_strategy_of_ones_own_is_any_object_with_three_methods() -> None:
    own = Halving()
    strategy = made(own)
    strategy.tell(trial := SweepTrial(0, {"x": 0.5, "y": 1}))

    assert list(iter(strategy.ask, None)) == [{"x": 0.5, "y": 1}, {"x": 0.25, "y": 1}, {"x": 0.125, "y": 1}]
    assert [strategy.report(trial, 1, 0.5), strategy.report(trial, 1, -0.5)] == [False, True]
    assert own.told == [trial]


def test_point_of_a_strategy_of_ones_own_must_be_in_the_space() -> None:
    with pytest.raises(ConfigError, match=r"not in the space: 'x' is 1\.5"):
        made(Halving(3.0)).ask()
    with pytest.raises(ConfigError, match=r"The strategy returned the point .*, which where= skips"):
        made(Halving(), space=Space.of(SPACE, where=lambda point: point["x"] > 0.6)).ask()


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("tpee", r"strategy='tpee'; expected one of 'grid', 'random', .* Did you mean 'tpe'\?"),
        ("", r"strategy=''; expected one of 'grid'"),
        (None, r"strategy=None has no method ask\(\)"),
        (7, r"strategy=7 has no method ask\(\); expected the name of a strategy, a sampler of Optuna, or an object"),
        (object(), r"has no method ask\(\)"),
        (Halving, r"strategy=<class .*Halving'> is a class; pass an object, such as Halving\(\.\.\.\)"),
        (type("Half", (), {"ask": len, "tell": len})(), r"has no method report\(\)"),
    ],
)
def test_wrong_strategy_is_rejected(strategy: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(strategy)


@pytest.mark.parametrize(
    ("pruner", "message"),
    [
        ("ahsa", r"pruner='ahsa'; expected one of 'median', 'asha', .* Did you mean 'asha'\?"),
        (7, r"pruner=7; expected one of 'median'"),
        ({}, r"pruner=\{\}; expected one of 'median'"),
        ({"type": ["asha"]}, r"expected one of 'median'"),
        (True, r"pruner=True; expected one of 'median'"),
        ({"type": "asha", "min_it": 3}, r"The pruner 'asha' has no option 'min_it'; .* Did you mean 'min_iter'\?"),
        ({"type": "none", "eta": 3}, r"The pruner 'none' has no option 'eta'; available: none\."),
        ({"type": "asha", "min_iter": 0}, r"min_iter=0; expected an integer >= 1"),
        ({"type": "asha", "min_iter": 1.5}, r"min_iter=1\.5; expected an integer >= 1"),
        ({"type": "asha", "eta": 1}, r"eta=1; expected an integer >= 2"),
        ({"type": "asha", "eta": 2.5}, r"eta=2\.5; expected an integer >= 2"),
        ({"type": "patience", "patience": 0}, r"patience=0; expected an integer >= 1"),
        ({"type": "patience", "min_delta": -1}, r"min_delta=-1; expected a number >= 0"),
        ({"type": "patience", "min_delta": "0"}, r"min_delta='0'; expected a number >= 0"),
        ({"type": "hyperband", "min_iter": 9, "max_iter": 3}, r"min_iter=9 is above max_iter=3"),
        ({"type": "hyperband", "s": 2}, r"s=2 needs max_iter"),
        ({"type": "median", "min_trials": True}, r"min_trials=True; expected an integer >= 1"),
    ],
)
def test_wrong_pruner_is_rejected(pruner: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made("grid", pruner, Space.of({"x": [1, 2]}))


@pytest.mark.parametrize("strategy", ["tpe", "gp", "cmaes"])
def test_strategy_that_learns_needs_an_objective(strategy: str) -> None:
    with pytest.raises(ConfigError, match=rf"strategy='{strategy}' learns from an objective, but the job has none"):
        made(strategy, objective=None)


@pytest.mark.parametrize("strategy", ["random", "qmc"])
def test_strategy_that_learns_nothing_needs_no_objective(strategy: str) -> None:
    pytest.importorskip("optuna")

    assert made(strategy, objective=None).ask() is not None


def test_pruner_needs_an_objective_that_is_logged() -> None:
    with pytest.raises(ConfigError, match=r"pruner='asha' compares values of the objective, but the job has none"):
        made("grid", "asha", Space.of({"x": [1]}), objective=None)
    with pytest.raises(ConfigError, match=r"pruner='asha' compares values of 'accuracy' .* no metric definition"):
        made("grid", "asha", Space.of({"x": [1]}), metrics=["loss"])


def test_listed_points_are_not_drawn() -> None:
    with pytest.raises(ConfigError, match=r"strategy='tpe' draws points, but .* Pass strategy='grid'"):
        made("tpe", space=Space.of([{"x": 1}, {"x": 2}]))


@pytest.mark.parametrize(
    "space",
    [
        {"x": uniform(0, 1), "c": ["a", "b"]},
        {"x": uniform(0, 1), "y": uniform(1, 1)},
        {"x": uniform(0, 1), "c": ["a", "b"], "y": when("c", "a", uniform(0, 1))},
    ],
)
def test_cmaes_needs_two_ranges(space: dict[str, Any]) -> None:
    pytest.importorskip("cmaes")

    with pytest.raises(ConfigError, match=r"strategy='cmaes' searches two or more ranges .* has 1\. .*strategy='tpe'"):
        made("cmaes", space=Space.of(space))


@pytest.mark.parametrize(
    ("strategy", "missing", "command"),
    [
        ("random", "optuna", "optuna cmaes scipy"),
        ("tpe", "optuna", "optuna cmaes scipy"),
        ("qmc", "scipy", "optuna cmaes scipy"),
        ("gp", "torch", "torch"),
        ("gp", "scipy", "optuna cmaes scipy"),
        ("cmaes", "cmaes", "optuna cmaes scipy"),
    ],
)
def test_missing_package_is_named_with_the_command(
    strategy: str, missing: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing != "optuna":
        pytest.importorskip("optuna")
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(
        MissingDependencyError, match=re.escape(f"{missing} is not installed. Run: pip install {command}")
    ):
        made(strategy)


def test_pruner_of_a_grid_needs_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(MissingDependencyError, match=r"optuna is not installed\. Run: pip install optuna"):
        made("grid", "median", Space.of({"x": [1, 2]}))


def test_wrong_pruner_is_found_before_a_package_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(ConfigError, match="ahsa"):
        made("random", "ahsa")


def test_seed_may_be_any_integer() -> None:
    pytest.importorskip("optuna")

    assert len({str(made("qmc", seed=seed).ask()) for seed in (0, -1, 2**80)}) == 3


def test_name_of_a_strategy_or_pruner() -> None:
    optuna = pytest.importorskip("optuna")

    assert [name_of(given) for given in ("tpe", None, {"type": "asha", "eta": 2}, Halving())] == [
        "tpe",
        "none",
        "asha",
        "Halving",
    ]
    assert name_of(optuna.samplers.TPESampler()) == "TPESampler"


def test_trial_of_a_sweep_is_a_value() -> None:
    trial = SweepTrial(0, {"x": [1, 2]}, "pruned", value=0.5, values={1: 0.5})

    assert pickle.loads(pickle.dumps(trial)) == trial
    assert len({trial, SweepTrial(0, {"x": [1, 2]}, "pruned", value=0.5, values={1: 0.5})}) == 1


def test_every_kind_of_parameter_is_searched_by_each_strategy() -> None:
    pytest.importorskip("optuna")

    for strategy in ("random", "qmc", "tpe", "gp", "cmaes"):
        assert WIDE.contains(made(strategy, space=WIDE).ask() or {})
