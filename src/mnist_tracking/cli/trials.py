"""Trials and experiments, as rows of a table."""

from collections.abc import Collection, Iterable

import click

from mnist_tracking._values.records import Metric
from mnist_tracking._values.text import main_metrics
from mnist_tracking.cli.page import Page, Seconds
from mnist_tracking.reading.trial import Trial

__all__ = ["show_trial", "shown_metrics", "trial_row"]

_OWN = {"rank", "trial", "experiment", "status", "took", "created"}  # headings of ours


def shown_metrics(trials: Iterable[Trial], wanted: Collection[str] = ()) -> list[str]:
    """Return the metrics that a table shows, *wanted* in any case, and say which it does not."""
    every = {name for trial in trials for name in trial.metrics}
    shown = main_metrics(every, keep=wanted)
    if left_out := sorted(every.difference(shown)):
        more = f" and {len(left_out) - 3} more" if len(left_out) > 3 else ""
        click.echo(f"Not shown: the metrics {', '.join(left_out[:3])}{more}. --format csv has all.", err=True)
    return shown


def trial_row(trial: Trial, parameters: Iterable[str], metrics: Iterable[str]) -> dict[str, object]:
    """Return a trial by heading: some of its hyperparameters, and the last values of some metrics."""
    values: dict[str, object] = {}
    for name in parameters:
        values[f"param.{name}" if name in _OWN else name] = trial.hyperparameters.get(name)
    for name in metrics:
        last = trial.metrics[name].last if name in trial.metrics else None
        values[f"metric.{name}" if name in {*_OWN, *values} else name] = last
    first = {"trial": trial.name, "status": trial.status}
    return {**first, **values, "took": Seconds(trial.duration_s), "created": trial.created}


def _facts(trial: Trial) -> list[tuple[str, object]]:
    """Return what there is to say about a trial, with names."""
    return [
        ("trial", trial.name),
        ("experiment", trial.experiment),
        ("status", trial.status),
        ("failure", trial.failure_reason),
        ("created", trial.created),
        ("took", Seconds(trial.duration_s)),
        ("job", trial.job_name),
        ("model", trial.model_uri),
        ("code", trial.code_uri),
    ]


def show_trial(trial: Trial, page: Page) -> None:
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
