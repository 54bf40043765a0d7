"""Scores: the value of a trial that a leaderboard ranks by, and what must be known about it."""

import math

from mnist_tracking._values.specs import Objective
from mnist_tracking._values.text import plural
from mnist_tracking.reading.trial import Trial

__all__ = ["is_scorable", "score", "score_note"]


def score(trial: Trial, objective: Objective) -> float | None:
    """
    Return a trial's value for an objective; None if it has none, or its metric does not end with a finite value.

    A mean of the last values is that of all values if there are fewer. It is None for a trial whose last values were
    not recorded: `Leaderboard.check_logs` reads them.
    """
    metric = trial.metrics.get(objective.metric)
    if metric is None or not metric.count or objective.metric in trial.non_finite:
        return None
    window = objective.window
    if window is None:
        value = metric.statistic(objective.statistic)
    elif metric.count <= window:
        value = metric.avg
    elif window <= len(tail := trial.tails.get(objective.metric, ())):
        value = math.fsum(tail[-window:]) / window
    else:
        return None
    return value if math.isfinite(value) else None


def is_scorable(trial: Trial, objective: Objective) -> bool:
    """Whether all of a trial was recorded that its value for an objective is computed from."""
    metric, window = trial.metrics.get(objective.metric), objective.window
    is_short = window is None or metric is None or metric.count <= window
    return is_short or len(trial.tails.get(objective.metric, ())) >= (window or 0)


def score_note(trial: Trial, objective: Objective | None) -> str:
    """
    Return a note on a trial's value for an objective.

    It is ``"ends with nan"``, or with ``inf``, if that is why there is no value; ``"last values not recorded"`` if a
    mean of them cannot be computed; ``"not checked"`` if the metric may end with NaN, without a trace of it; ``"mean of
    3 values"`` if there are fewer than the mean is of; empty otherwise.
    """
    if objective is None:
        return ""
    metric, window = trial.metrics.get(objective.metric), objective.window
    if last := trial.non_finite.get(objective.metric):
        return f"ends with {last}"
    if metric is None:
        return ""
    if not is_scorable(trial, objective):
        return "last values not recorded"
    if objective.metric in trial.unchecked:
        return "not checked"
    return f"mean of {plural(metric.count, 'value')}" if window and metric.count < window else ""
