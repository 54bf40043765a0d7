"""Importance: how much each hyperparameter decides whether a trial is among the best."""

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mnist_tracking._values.checks import is_number
from mnist_tracking._values.optuna_log import experimental, quiet
from mnist_tracking._values.recordable import as_text, comparable
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.text import plural
from mnist_tracking.errors import MissingDependencyError, StateError
from mnist_tracking.reading.scores import score
from mnist_tracking.reading.trial import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["importance_of"]

_FEWEST = 10
_BEST, _BEST_SHARE = 5, 0.1  # what counts as the best trials: this number, or this share of all, whichever is more
_WIDE = 100.0  # the ratio from which a range of positive numbers is taken to be logarithmic


def importance_of(trials: Iterable[Trial], objective: Objective, experiment: str) -> dict[str, float]:
    """
    Return the share of each hyperparameter that is not the same in all trials; see `Leaderboard.importance`.

    Raises:
        MissingDependencyError: If Optuna is not installed.
        StateError: If too few completed trials have a value, or their values or hyperparameters do not differ enough.
    """
    if find_spec("optuna") is None:
        raise MissingDependencyError("optuna", "sweeps")
    scores = ((trial, score(trial, objective)) for trial in trials if trial.status == "Completed")
    scored = [(trial.configuration, value) for trial, value in scores if value is not None]
    best = _number_of_best(experiment, [value for _, value in scored], objective)
    import optuna  # here: too few trials need not wait for it

    distributions = _distributions([given for given, _ in scored])
    if not distributions:
        raise StateError("experiment", experiment, "no-difference", "has trials whose hyperparameters do not differ")
    with quiet(), experimental():
        study = optuna.create_study(direction=objective.goal)
        for given, value in scored:
            varied = {name: found for name, found in distributions.items() if name in given}
            params = {name: _encoded(given[name], found) for name, found in varied.items()}
            study.add_trial(optuna.create_trial(params=params, distributions=varied, value=value))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=best / len(scored))
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _number_of_best(experiment: str, values: Sequence[float], objective: Objective) -> int:
    """Return how many of the trials count as the best; raise if they cannot be told apart from the others."""
    if len(values) < _FEWEST:
        raise StateError(
            "experiment",
            experiment,
            "too-few",
            f"has {plural(len(values), 'completed trial')} with {objective.metric!r}; importance needs {_FEWEST}",
        )
    best = max(_BEST, math.ceil(_BEST_SHARE * len(values)))
    ordered = sorted(values, reverse=objective.goal == "maximize")
    if ordered[best - 1] == ordered[-1]:
        raise StateError(
            "experiment",
            experiment,
            "no-difference",
            f"has {len(values)} trials of which {len(values) - best + 1} or more have the same, worst value of "
            f"{objective.metric!r}: the best cannot be told apart",
        )
    return best


def _distributions(points: Sequence[Mapping[str, ParameterValue]]) -> "dict[str, BaseDistribution]":
    """Return what the values of each hyperparameter that differs are taken to be drawn from."""
    names = sorted({name for given in points for name in given})
    every = {name: _distribution([given[name] for given in points if name in given]) for name in names}
    return {name: distribution for name, distribution in every.items() if distribution is not None}


def _distribution(values: Sequence[ParameterValue]) -> "BaseDistribution | None":
    """Return what values are taken to be drawn from; None for a constant."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if len({comparable(value) for value in values}) < 2:
        return None
    if not all(map(is_number, values)):
        return CategoricalDistribution(sorted({as_text(value) for value in values}))
    numbers = [value for value in values if is_number(value)]
    low, high = min(numbers), max(numbers)
    is_log = low > 0 and high / low >= _WIDE
    if all(isinstance(number, int) for number in numbers):
        return IntDistribution(int(low), int(high), log=is_log)
    return FloatDistribution(float(low), float(high), log=is_log)


def _encoded(value: ParameterValue, distribution: "BaseDistribution") -> object:
    from optuna.distributions import CategoricalDistribution

    return as_text(value) if isinstance(distribution, CategoricalDistribution) else value
