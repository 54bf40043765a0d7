"""A study of Optuna, in memory and silent, with the trials of a sweep."""

import math
from decimal import Decimal

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from mnist_tracking._values.optuna_log import quiet
from mnist_tracking._values.recordable import comparable
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import Goal
from mnist_tracking.experiments.sweep.dimensions import Choice, Dimension, Integers, Uniform
from mnist_tracking.experiments.sweep.strategies.protocol import SweepTrial

__all__ = ["SweepStudy", "encoded", "end_trial", "suggest"]

_NATIVE = (str, int, float, bool, type(None))  # what Optuna's categories may be without a warning


class SweepStudy(optuna.Study):
    """
    A study in memory.

    Attributes:
        is_over: Whether its sampler has ended the search.
    """

    is_over = False

    def __init__(self, goal: Goal, sampler: BaseSampler, pruner: BasePruner | None = None) -> None:
        storage, name = InMemoryStorage(), "sweep"  # Hyperband's brackets depend on the name
        with quiet():
            storage.create_new_study([optuna.study.StudyDirection[goal.upper()]], name)
        super().__init__(name, storage, sampler, pruner or NopPruner())

    def stop(self) -> None:
        """End the search, as a sampler does that has listed all points."""
        self.is_over = True


def end_trial(study: SweepStudy, handle: optuna.Trial, trial: SweepTrial) -> None:
    """
    End a running trial of a study, whose values were reported.

    A trial that has completed without a value has diverged: like a pruned one, it is worse than the completed ones. A
    failed one shows nothing of its point, and is ignored by samplers.
    """
    if trial.status == "completed" and trial.value is not None and math.isfinite(trial.value):
        study.tell(handle, trial.value)
    elif trial.status == "failed" or (trial.status == "stopped" and not trial.values):
        study.tell(handle, state=TrialState.FAIL)
    else:
        study.tell(handle, state=TrialState.PRUNED)


def suggest(handle: optuna.Trial, name: str, dimension: Dimension) -> ParameterValue:
    """Return a value for a parameter, as the sampler of a study suggests it."""
    match dimension:
        case Uniform():
            return _suggest_float(handle, name, dimension)
        case Integers(log=True, step=step):  # Optuna has no logarithmic ranges with steps
            return step * handle.suggest_int(name, dimension.low // step, dimension.high // step, log=True)
        case Integers():
            low, step = dimension.low, dimension.step
            return handle.suggest_int(name, low, low + (dimension.size - 1) * step, step=step)
        case Choice():
            categories = _categories(dimension)
            return dimension.values[categories.index(handle.suggest_categorical(name, categories))]
    return dimension.value


def _suggest_float(handle: optuna.Trial, name: str, dimension: Uniform) -> float:
    if dimension.step is None:
        return handle.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    low, step = Decimal(repr(dimension.low)), Decimal(repr(dimension.step))
    last = float(low + ((dimension.size or 1) - 1) * step)  # Optuna warns of an end that is not on the grid
    value = handle.suggest_float(name, dimension.low, last, step=dimension.step)
    return float(low + round((value - dimension.low) / dimension.step) * step)  # 0.3, not 0.30000000000000004


def encoded(dimension: Dimension, value: ParameterValue) -> ParameterValue:
    """Return the value that a study has for a value of a dimension."""
    if isinstance(dimension, Integers) and dimension.log:
        return int(value) // dimension.step  # type: ignore[arg-type]  # a number, since the dimension contains it
    if not isinstance(dimension, Choice):
        return value
    return _categories(dimension)[list(map(comparable, dimension.values)).index(comparable(value))]


def _categories(dimension: Choice) -> list[str | int | float | None]:
    """Return the values of a choice, or their positions if Optuna does not support the values or tell them apart."""
    values = [value for value in dimension.values if isinstance(value, _NATIVE)]
    is_native = len(set(values)) == len(dimension.values)
    return values if is_native else list(range(len(dimension.values)))
