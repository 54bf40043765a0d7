"""StopRules: when a sweep ends before it has trained everything."""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta

import attrs

from mnist_tracking._values.checks import check_count, is_number
from mnist_tracking._values.specs import Goal
from mnist_tracking._values.text import duration, ellipsize, number, plural, short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.strategies.protocol import SweepTrial

__all__ = ["Limits", "StopRules"]

_LONGEST_REASON = 200


def _seconds(value: float | timedelta | None) -> float | None:
    return value.total_seconds() if isinstance(value, timedelta) else value


@attrs.frozen(kw_only=True)
class StopRules:
    """
    When a sweep ends before it has trained everything: as soon as one of the rules applies.

    No more trials start then. The running ones train to their end, except that *max_time* stops them. For *patience*
    and *failures*, a configuration that is repeated counts once, as failed if none of its trials has completed.

    Attributes:
        max_time: The time that one call of `HyperparameterSweep.run` may take: seconds, or a `datetime.timedelta`.
        max_cost: What all trials of the sweep may cost together, in US dollars. A trial starts only if this is enough
            even if it, and those that this program is training, run until the time limit of their job
            (``JobSpec.max_run_s``). What a trial has cost is known once it has ended, from its billable seconds. One
            that another program trains, or that no program has waited for, counts with the same maximum.
        target: The value of the objective that is good enough.
        patience: The number of trials in a row that may end without a new best value of the objective.
        failures: The number of failed trials that ends the sweep.

    Raises:
        ConfigError: If a value is not allowed.

    Example:
        >>> StopRules(max_time=timedelta(hours=8), max_cost=25.0, patience=10).max_time
        28800.0
    """

    max_time: float | None = attrs.field(default=None, converter=_seconds)
    max_cost: float | None = None
    target: float | None = None
    patience: int | None = None
    failures: int | None = None

    def __attrs_post_init__(self) -> None:
        _check_number("max_time", self.max_time, "seconds > 0, or a timedelta", is_positive=True)
        _check_number("max_cost", self.max_cost, "US dollars > 0", is_positive=True)
        _check_number("target", self.target, "a finite number", is_positive=False)
        for name in ("patience", "failures"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))

    @property
    def is_bounded(self) -> bool:
        """Whether the rules end every sweep."""
        return self.max_time is not None or self.max_cost is not None or self.patience is not None

    @property
    def by_objective(self) -> str:
        """The first of the rules that compares values of the objective; empty if none does."""
        return next((rule for rule in ("target", "patience") if getattr(self, rule) is not None), "")


def _check_number(name: str, value: object, expected: str, *, is_positive: bool) -> None:
    if value is None:
        return
    if not is_number(value) or (is_positive and value <= 0):
        raise ConfigError(f"{name}={short_repr(value)}; expected {expected}.")


class Limits:
    """
    Applies the rules of one call of `HyperparameterSweep.run`.

    Args:
        rules: The rules.
        goal: Whether a higher or a lower value of the objective is better.
        clock: Returns the time in seconds.
        most_usd: What one trial costs at most, in US dollars; None if it is not known.

    Attributes:
        reason: Which rule has ended the sweep, and why; empty until then.

    Raises:
        ConfigError: If *max_cost* does not allow one trial, or the price of one is not known.
    """

    def __init__(self, rules: StopRules, goal: Goal, clock: Callable[[], float], most_usd: float | None) -> None:
        self.reason = ""
        self._rules, self._clock = rules, clock
        self._sign = 1.0 if goal == "maximize" else -1.0
        self._begun = clock()
        self._most_usd = _checked_cost(rules.max_cost, most_usd)
        self._costs: dict[str, float] = {}
        self._failures = self._in_vain = 0
        self._best = -math.inf

    def is_over(self) -> bool:
        """Whether a rule has ended the sweep."""
        return bool(self.out_of_time() or self.reason)

    def out_of_time(self) -> str:
        """Return that the time is over, which also ends the sweep; an empty string before."""
        limit = self._rules.max_time
        if limit is None or self._clock() - self._begun < limit:
            return ""
        reason = f"max_time: the limit of {duration(round(limit))} was reached"
        self._end(reason)
        return reason

    def affords(self, running: int) -> bool:
        """Whether there is money for one more trial, while some are running; if none is, this ends the sweep."""
        limit, spent = self._rules.max_cost, math.fsum(self._costs.values())
        if limit is None or spent + (running + 1) * self._most_usd <= limit:
            return True
        if not running:
            self._end(
                f"max_cost: ${spent:.2f} of ${limit:.2f} is spent, and another trial may cost ${self._most_usd:.2f}"
            )
        return False

    def spend(self, usd: Mapping[str, float | None]) -> None:
        """Take into account what trials have cost, by name; an unknown cost counts as the most that one may cost."""
        self._costs |= {
            name: self._costs.get(name, self._most_usd) if cost is None else cost for name, cost in usd.items()
        }

    def learn(self, trial: SweepTrial) -> None:
        """Take into account the value of a configuration that has ended earlier."""
        value = self._value(trial)
        if self._rules.target is not None and value >= self._sign * self._rules.target:
            self._end(f"target: a trial has reached {number(self._sign * value)}")
        self._best = max(value, self._best)

    def _value(self, trial: SweepTrial) -> float:
        """Return the value of a trial, where higher is better."""
        is_scored = trial.status == "completed" and trial.value is not None
        return self._sign * (trial.value or 0.0) if is_scored else -math.inf

    def ended(self, trial: SweepTrial, reason: str = "") -> None:
        """Take into account how a configuration ended; *reason* is why it failed."""
        rules = self._rules
        self._failures += trial.status == "failed"
        if rules.failures is not None and self._failures >= rules.failures:
            why = ellipsize(" ".join(reason.split()), _LONGEST_REASON)
            self._end(f"failures: {plural(self._failures, 'trial')} failed, the last with {why}")
        self._in_vain = 0 if self._value(trial) > self._best else self._in_vain + 1
        self.learn(trial)
        if rules.patience is not None and self._in_vain >= rules.patience:
            self._end(f"patience: {plural(self._in_vain, 'trial')} ended without a better value")

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason


def _checked_cost(limit: float | None, most_usd: float | None) -> float:
    """Return what one trial costs at most, for a limit of costs."""
    if limit is None:
        return most_usd or 0.0
    if most_usd is None:
        raise ConfigError(
            f"max_cost={limit}, but the price of the job's instance is not known. Pass prices= to the workspace."
        )
    if most_usd > limit:
        raise ConfigError(
            f"max_cost={limit} allows no trial: one may cost ${most_usd:.2f} until its time limit. Lower "
            "max_run_s= of the job."
        )
    return most_usd
