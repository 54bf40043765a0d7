"""Pruning: any strategy, with trials stopped early by a pruner of Optuna."""

import math
import threading
from typing import TYPE_CHECKING

import attrs
import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, PercentilePruner, ThresholdPruner
from optuna.samplers import RandomSampler

from mnist_tracking._values.optuna_log import quiet
from mnist_tracking._values.specs import Goal
from mnist_tracking.experiments.sweep.space import Point
from mnist_tracking.experiments.sweep.strategies.protocol import Strategy, SweepTrial
from mnist_tracking.experiments.sweep.strategies.study import SweepStudy, end_trial

__all__ = ["Pruning"]

_STATELESS = (MedianPruner, NopPruner, PercentilePruner, ThresholdPruner)  # need not see the values one by one


@attrs.define
class _Curve:
    """A running trial in the study of a pruner, the steps of its values, and whether it was stopped."""

    handle: optuna.Trial
    steps: set[int] = attrs.field(factory=set)
    is_stopped: bool = False

    def add(self, step: int, value: float) -> bool:
        """Add a value, and return True; False for NaN and for a step that is there."""
        if step in self.steps or math.isnan(value):
            return False
        self.steps.add(step)
        self.handle.report(value, step)
        return True


class Pruning:
    """
    A strategy that also stops the trials that a pruner of Optuna would.

    The pruner has a study of its own, so that it works with every strategy, and reports are not kept waiting while the
    next point is chosen. A trial whose value is NaN is stopped at once: it has diverged.

    Args:
        strategy: Chooses the points, and may stop trials itself.
        pruner: The pruner.
        goal: Whether higher or lower values are better.
    """

    def __init__(self, strategy: Strategy, pruner: BasePruner, goal: Goal) -> None:
        self._strategy, self._pruner = strategy, pruner
        self._study = SweepStudy(goal, RandomSampler(), pruner)
        self._running: dict[int, _Curve] = {}
        self._ended: set[int] = set()
        self._lock = threading.Lock()

    def ask(self) -> Point | None:
        """Return the next point of the strategy."""
        point = self._strategy.ask()
        return None if point is None else dict(point)

    def report(self, trial: SweepTrial, step: int, value: float) -> bool:
        """Return whether the strategy or the pruner stops a running trial."""
        is_stopped = self._strategy.report(trial, step, value)
        with self._lock, quiet():
            if trial.number in self._ended:
                return False
            curve = self._curve(trial)
            curve.add(step, value)
            curve.is_stopped |= is_stopped or math.isnan(value) or curve.handle.should_prune()
            return curve.is_stopped

    def tell(self, trial: SweepTrial) -> None:
        """Take a trial and its values into account."""
        self._strategy.tell(trial)
        with self._lock, quiet():
            if trial.number in self._ended:
                return
            curve = self._curve(trial)
            if trial.status == "running":
                return
            del self._running[trial.number]
            end_trial(self._study, curve.handle, trial)
            if trial.status != "failed":  # which may be tried again
                self._ended.add(trial.number)

    def _curve(self, trial: SweepTrial) -> _Curve:
        """Return the curve of a trial, with the values that the trial has already."""
        if trial.number not in self._running:
            self._running[trial.number] = _Curve(self._study.ask())
        curve = self._running[trial.number]
        for step, value in sorted(trial.values.items()):
            if curve.add(step, value) and type(self._pruner) not in _STATELESS:
                curve.handle.should_prune()  # records how far the trial has come
        return curve


if TYPE_CHECKING:
    from mnist_tracking.experiments.sweep.space import Space
    from mnist_tracking.experiments.sweep.strategies.grid import Grid

    _: Strategy = Pruning(Grid(Space(dimensions={})), NopPruner(), "maximize")
