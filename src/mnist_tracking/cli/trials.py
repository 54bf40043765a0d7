"""Trials and experiments, as rows of a table."""

from collections.abc import Iterable, Mapping

from mnist_tracking.cli.page import Page, Seconds
from mnist_tracking.records import Metric, Scalar, TrialResult

__all__ = ["differing", "show_trial", "trial_row"]

_OWN = {"rank", "trial", "experiment", "status", "took", "created"}  # headings of ours


def differing(trials: Iterable[TrialResult]) -> list[str]:
    """Return the hyperparameters that are not the same for all trials."""
    every = [trial.hyperparameters for trial in trials]
    names = sorted({name for parameters in every for name in parameters})
    return [name for name in names if any(_value(one, name) != _value(every[0], name) for one in every)]


def _value(parameters: Mapping[str, Scalar], name: str) -> tuple[bool, Scalar]:
    return name in parameters, parameters.get(name)


def trial_row(trial: TrialResult, parameters: Iterable[str], metrics: Iterable[str]) -> dict[str, object]:
    """Return a trial by heading: some of its hyperparameters, and the last values of some metrics."""
    values: dict[str, object] = {}
    for name in parameters:
        values[f"param.{name}" if name in _OWN else name] = trial.hyperparameters.get(name)
    for name in metrics:
        last = trial.metrics[name].last if name in trial.metrics else None
        values[f"metric.{name}" if name in {*_OWN, *values} else name] = last
    first = {"trial": trial.trial_name, "status": trial.status}
    return {**first, **values, "took": Seconds(trial.duration_s), "created": trial.created}


def _facts(trial: TrialResult) -> list[tuple[str, object]]:
    """Return what there is to say about a trial, with names."""
    return [
        ("trial", trial.trial_name),
        ("experiment", trial.experiment_name),
        ("status", trial.status),
        ("failure", trial.failure_reason),
        ("created", trial.created),
        ("took", Seconds(trial.duration_s)),
        ("job", trial.job_name),
        ("model", trial.model_uri),
        ("code", trial.code_uri),
    ]


def show_trial(trial: TrialResult, page: Page) -> None:
    """Write a trial with its hyperparameters and metrics."""
    page.facts(_facts(trial))
    if trial.hyperparameters:
        page.say("\nHyperparameters", bold=True)
        page.facts(trial.hyperparameters.items())
    if trial.metrics:
        page.say("\nMetrics", bold=True)
        page.table([_metric_row(metric) for _, metric in sorted(trial.metrics.items())])


def _metric_row(metric: Metric) -> dict[str, object]:
    row: dict[str, object] = {"metric": metric.name, "last": metric.last}
    if metric.count == 1:
        return row
    return row | {"min": metric.min, "max": metric.max, "avg": metric.avg, "values": metric.count}
