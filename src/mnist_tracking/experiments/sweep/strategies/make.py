"""make_strategy: the strategy of a sweep, from a name, a sampler of Optuna, or a custom object."""

import copy
import random
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeGuard, TypeVar, cast

from mnist_tracking._values.checks import is_instance
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.errors import ConfigError, MissingDependencyError
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.strategies.custom import Custom
from mnist_tracking.experiments.sweep.strategies.grid import Grid
from mnist_tracking.experiments.sweep.strategies.options import PRUNERS, checked_options
from mnist_tracking.experiments.sweep.strategies.protocol import Strategy

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

__all__ = ["HINT", "PRUNERS", "STRATEGIES", "AnyPruner", "AnyStrategy", "make_strategy", "name_of"]

T = TypeVar("T")
AnyStrategy: TypeAlias = "str | BaseSampler | Strategy"
AnyPruner: TypeAlias = "str | Mapping[str, object] | BasePruner | None"

STRATEGIES = ("grid", "random", "qmc", "tpe", "gp", "cmaes")
"""The strategies that have a name."""

_BLIND = ("random", "qmc", "RandomSampler", "QMCSampler", "BruteForceSampler", "GridSampler")  # need no objective
HINT = "Pass objective=, such as objective='validation:accuracy'."


def name_of(given: object) -> str:
    """Return the name of a strategy or a pruner, as messages and records show it."""
    match given:
        case None:
            return "none"
        case str():
            return given
        case Mapping():
            return str(given.get("type"))
    return type(given).__name__


def make_strategy(
    strategy: AnyStrategy,
    pruner: AnyPruner,
    space: Space,
    objective: Objective | None,
    *,
    seed: int,
    metrics: Collection[str] | None = None,
) -> Strategy:
    """
    Return the strategy of a sweep.

    Args:
        strategy: One of `STRATEGIES`, a sampler of Optuna, or an object with the three methods.
        pruner: One of `PRUNERS`, such a name with options, as in ``{"type": "asha", "min_iter": 2}``, a pruner of
            Optuna, or None, which stops no trial.
        space: The space.
        objective: What the trials are ranked by, if known.
        seed: The seed of a strategy that draws.
        metrics: The metrics that the log of a running trial shows; None if they are not known.

    Raises:
        ConfigError: If a name is unknown, an object is of a wrong type, an option of a pruner is wrong, the strategy
            cannot search the space, or the strategy or the pruner needs an objective and the job has none, or does not
            log it while it runs.
        MissingDependencyError: If a package is not installed.
    """
    name, options = _checked_pruner(pruner, objective, metrics)
    if strategy == "grid":
        chooser: Strategy = Grid(space)
    elif isinstance(strategy, str) or _is_sampler(strategy):
        chooser = _search(strategy, space, objective, seed)
    else:
        chooser = Custom(cast("Strategy", strategy), space)
    if objective is None or name == "none":
        return chooser
    _check_optuna()
    from mnist_tracking.experiments.sweep.strategies.pruners import named_pruner
    from mnist_tracking.experiments.sweep.strategies.pruning import Pruning

    found = _copied("pruner", pruner) if _is_pruner(pruner) else named_pruner(name, options)
    return Pruning(chooser, found, objective.goal)


def _checked_pruner(
    pruner: AnyPruner, objective: Objective | None, metrics: Collection[str] | None
) -> tuple[str, dict[str, object]]:
    """Return the name and the options of a pruner; ConfigError if the trials show it nothing to compare."""
    name, options = (name_of(pruner), {}) if pruner is None or _is_pruner(pruner) else checked_options(pruner)
    if name == "none":
        return name, options
    if objective is None:
        raise ConfigError(f"pruner={name!r} compares values of the objective, but the job has none. {HINT}")
    if metrics is not None and objective.metric not in metrics:
        raise ConfigError(
            f"pruner={name!r} compares values of {objective.metric!r} while trials are running, and no metric "
            f"definition of the job finds them in the log. Add it to metrics=, with its regular expression, or pass no "
            "pruner=."
        )
    return name, options


def _search(strategy: "str | BaseSampler", space: Space, objective: Objective | None, seed: int) -> Strategy:
    name = name_of(strategy)
    if isinstance(strategy, str) and strategy not in STRATEGIES:
        raise ConfigError(
            f"strategy={strategy!r}; expected one of {', '.join(map(repr, STRATEGIES))}, a sampler of Optuna, or an "
            f"object with the methods ask(), report() and tell().{did_you_mean(strategy, STRATEGIES)}"
        )
    if space.explicit:
        raise ConfigError(
            f"strategy={name!r} draws points, but those of this space are listed one by one. Pass strategy='grid', "
            "which tries them in order, or points_first= for points to try before others."
        )
    if objective is None and name not in _BLIND:
        raise ConfigError(f"strategy={name!r} learns from an objective, but the job has none. {HINT}")
    _check_optuna()
    from mnist_tracking.experiments.sweep.strategies.samplers import named_sampler
    from mnist_tracking.experiments.sweep.strategies.search import Search

    number = random.Random(str(seed)).getrandbits(31)  # noqa: S311 - no secret
    sampler = named_sampler(strategy, space, number) if isinstance(strategy, str) else _copied("strategy", strategy)
    return Search(sampler, space, "maximize" if objective is None else objective.goal, seed=number)


def _copied(what: str, given: T) -> T:
    """Return a copy of a sampler or pruner, which keeps what it has seen of a study: each strategy has its own."""
    try:
        return copy.deepcopy(given)
    except TypeError as error:
        raise ConfigError(f"{what}={short_repr(given)} cannot be copied: {error}.") from error


def _is_sampler(value: object) -> "TypeGuard[BaseSampler]":
    return is_instance(value, "optuna.samplers", "BaseSampler")


def _is_pruner(value: object) -> "TypeGuard[BasePruner]":
    return is_instance(value, "optuna.pruners", "BasePruner")


def _check_optuna() -> None:
    try:
        import optuna  # noqa: F401 - whether it is installed
    except ImportError as exc:
        raise MissingDependencyError("optuna", "sweeps") from exc
