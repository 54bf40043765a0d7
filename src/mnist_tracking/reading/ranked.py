"""Ranked trials as the rows of a table."""

from collections.abc import Mapping, Sequence

from mnist_tracking._values.specs import Objective
from mnist_tracking._values.tables import Kind, Table
from mnist_tracking.reading.scores import score, score_note
from mnist_tracking.reading.trial import Trial, last_columns, logged_metrics, parameter_columns

__all__ = ["ranked_row", "ranked_table"]

_FIRST: dict[str, Kind] = {
    "trial": "string",
    "experiment": "string",
    "status": "string",
    "duration_s": "number",
    "objective": "number",
    "objective_note": "string",
    "tied": "integer",
}
_LAST: dict[str, Kind] = {
    "failure_reason": "string",
    "stop_reason": "string",
    "instance_type": "string",
    "instance_count": "integer",
    "billable_s": "integer",
    "cost_usd": "number",
}
_STATISTICS: dict[str, Kind] = {
    **dict.fromkeys(("last", "min", "max", "avg", "std_dev"), "number"),
    "count": "integer",
}


def ranked_table(trials: Sequence[Trial], objective: Objective | None, ties: Mapping[str, int]) -> Table:
    """
    Return the tidy table of ranked trials.

    Args:
        trials: The trials, best first.
        objective: What they are ranked by.
        ties: The number of other trials with the same value, by the name of each trial that is tied.
    """
    metrics = sorted(logged_metrics(trials))
    columns: dict[str, Kind] = {
        **_FIRST,
        **parameter_columns(trials),
        **{f"metric.{name}.{statistic}": kind for name in metrics for statistic, kind in _STATISTICS.items()},
        **_LAST,
    }
    return Table(columns, [ranked_row(trial, objective, ties) for trial in trials])


def ranked_row(trial: Trial, objective: Objective | None, ties: Mapping[str, int]) -> dict[str, object]:
    """Return what a ranked trial is in a table, by tidy names."""
    metrics = {
        f"metric.{name}.{statistic}": getattr(metric, statistic)
        for name, metric in trial.metrics.items()
        for statistic in _STATISTICS
    }
    return {
        "trial": trial.name,
        "experiment": trial.experiment,
        "status": trial.status,
        "duration_s": trial.duration_s,
        "objective": score(trial, objective) if objective else None,
        "objective_note": score_note(trial, objective),
        "tied": ties.get(trial.name, 0) if objective else None,
        **{f"param.{name}": value for name, value in trial.configuration.items()},
        **metrics,
        **last_columns(trial),
        "failure_reason": trial.failure_reason,
        "stop_reason": trial.stop_reason,
        "instance_type": trial.instance_type or None,
        "instance_count": trial.instance_count or None,
        "billable_s": trial.billable_s,
        "cost_usd": trial.cost,
    }
