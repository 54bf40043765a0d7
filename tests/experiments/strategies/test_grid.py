"""The grid: every point once, in order, without Optuna."""

import subprocess
import sys

import pytest

from mnist_tracking import ConfigError, uniform
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.strategies import SweepTrial, make_strategy
from mnist_tracking.experiments.sweep.strategies.protocol import Strategy


def asked(strategy: Strategy) -> list[object]:
    """Return all that a strategy proposes until nothing is left."""
    return list(iter(strategy.ask, None))


def grid(space: object, **options: object) -> Strategy:
    return make_strategy("grid", None, Space.of(space, **options), None, seed=0)  # type: ignore[arg-type]


def test_grid_lists_every_point_with_the_last_parameter_fastest() -> None:
    strategy = grid({"lr": [0.1, 0.01], "depth": [2, 5]})

    assert asked(strategy) == [
        {"lr": 0.1, "depth": 2},
        {"lr": 0.1, "depth": 5},
        {"lr": 0.01, "depth": 2},
        {"lr": 0.01, "depth": 5},
    ]
    assert strategy.ask() is None


def test_grid_leaves_out_what_was_tried_by_others() -> None:
    strategy = grid({"depth": [2, 5, 8]})
    strategy.tell(SweepTrial(0, {"depth": 5}))

    assert asked(strategy) == [{"depth": 2}, {"depth": 8}]


def test_grid_tries_points_of_earlier_experiments_again() -> None:
    strategy = grid({"depth": [2, 5]})
    strategy.tell(SweepTrial(-1, {"depth": 5}, "completed", value=0.5))

    assert asked(strategy) == [{"depth": 2}, {"depth": 5}]


def test_points_to_try_first_come_once() -> None:
    assert asked(grid({"depth": [2, 5, 8]}, first=[{"depth": 8}])) == [{"depth": 8}, {"depth": 2}, {"depth": 5}]


def test_rule_skips_points() -> None:
    assert asked(grid({"a": [1, 2], "b": [1, 2]}, where=lambda point: point["a"] < point["b"])) == [{"a": 1, "b": 2}]


def test_range_without_a_step_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"'lr'.*Give it a step, or choose a strategy that draws"):
        grid({"lr": uniform(0, 1)})


def test_grid_needs_no_optuna() -> None:
    script = """
import sys
sys.modules["optuna"] = None
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.strategies import make_strategy
print(make_strategy("grid", None, Space.of({"depth": [2]}), None, seed=0).ask())
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert done.stdout == "{'depth': 2}\n"
