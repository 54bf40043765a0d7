"""Trials as the rows of a table, and as a page each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from mnist_tracking._values.provenance import Provenance
from mnist_tracking._values.records import Metric
from mnist_tracking._values.text import main_metrics
from mnist_tracking.cli.output import Page, Recorded, Seconds, echo
from mnist_tracking.reading.trial import Trial, logged_metrics

__all__ = ["provenance_facts", "shown_metrics", "trial_row", "write_trial", "write_trials"]

_OWN = {"rank", "note", "trial", "experiment", "status", "took", "created"}  # our own headings
_SHORTEST_PREFIX = 6


def shown_metrics(trials: Iterable[Trial], wanted: Collection[str] = ()) -> list[str]:
    """Return the metrics that a table shows, *wanted* in any case, and report which it leaves out."""
    every = logged_metrics(trials)
    shown = main_metrics(every, keep=wanted)
    if left_out := sorted(every.difference(shown)):
        more = f" and {len(left_out) - 3} more" if len(left_out) > 3 else ""
        echo(f"Metrics not shown: {', '.join(left_out[:3])}{more}; --format csv has all.", err=True)
    return shown


def trial_row(trial: Trial, parameters: Iterable[str], metrics: Iterable[str]) -> dict[str, object]:
    """Return a trial by heading: some of its hyperparameters, and the last values of some metrics."""
    values: dict[str, object] = {}
    for name in parameters:
        given = trial.configuration
        values[f"param.{name}" if name in _OWN else name] = Recorded(given[name]) if name in given else None
    for name in metrics:
        values[f"metric.{name}" if name in {*_OWN, *values} else name] = trial.last_values.get(name)
    first = {"trial": trial.name, "status": trial.status}
    return {**first, **values, "took": Seconds(trial.duration_s), "created": trial.created}


def write_trials(rows: Sequence[Mapping[str, object]], *, keep: int = 1, page: Page | None = None) -> None:
    """Write rows of trials; a terminal leaves out, and reports, the prefix that all of their names share."""
    page = page or Page()
    prefix = _shared_prefix([str(row["trial"]) for row in rows]) if page.is_terminal else ""
    page.table([{**row, "trial": str(row["trial"])[len(prefix) :]} for row in rows], keep=keep)
    if prefix:
        echo(f"All names of trials begin with {prefix}; commands accept them without it.", err=True)


def _shared_prefix(names: Sequence[str]) -> str:
    """Return what all names begin with, up to a hyphen; nothing if that is short."""
    alike = takewhile(lambda characters: len(set(characters)) == 1, zip(*names, strict=False))
    prefix = "".join(characters[0] for characters in alike)
    prefix = prefix[: prefix.rfind("-") + 1]
    return prefix if len(names) > 1 and len(prefix) >= _SHORTEST_PREFIX else ""


def _facts(trial: Trial) -> list[tuple[str, object]]:
    return [
        ("trial", trial.name),
        ("experiment", trial.experiment),
        ("status", trial.status),
        ("failure", trial.failure_reason),
        ("stopped", "" if trial.failure_reason else trial.stop_reason),
        ("created", trial.created),
        ("took", Seconds(trial.duration_s)),
        ("job", trial.job_name),
        ("ran on", trial.instance_type and f"{trial.instance_count} {trial.instance_type}"),
        ("billed", trial.billable_s and f"{trial.billable_s} s"),
        ("cost", None if trial.cost is None else f"{trial.cost:.4f} USD on AWS, at {trial.prices}"),
        ("model", trial.model_uri),
        ("code", trial.code_uri),
        *provenance_facts(trial.provenance),
    ]


def provenance_facts(found: Provenance) -> list[tuple[str, object]]:
    """Return what a page shows of the code and what it ran in."""
    changed = " with changes" if found.is_dirty else ""
    packages = ", ".join(f"{name} {version}" for name, version in sorted(found.packages.items()))
    return [
        ("commit", found.commit and f"{found.commit}{changed}"),
        ("repository", found.repository),
        ("command", found.command),
        ("ran in", ", ".join(filter(None, (found.image, found.python, found.platform)))),
        ("packages", packages),
    ]


def write_trial(trial: Trial, page: Page) -> None:
    """Write a trial with its hyperparameters and metrics."""
    page.facts(_facts(trial))
    if trial.hyperparameters:
        page.say("\nHyperparameters", bold=True)
        page.facts((name, Recorded(value)) for name, value in trial.hyperparameters.items())
    if trial.last_values:
        page.say("\nMetrics", bold=True)
        page.table([_metric_row(name, last, trial.metrics.get(name)) for name, last in trial.last_values.items()])
    for text in trial.dropped.values():
        page.say(text)
    if (names := trial.unchecked) and trial.status != "InProgress":
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        page.say(f"Not checked: {', '.join(names[:3])}{more} may have ended with NaN; the log does not show it.")


def _metric_row(name: str, last: float | str, metric: Metric | None) -> dict[str, Any]:
    row: dict[str, Any] = {"metric": name, "last": last}
    if metric is None or (metric.count == 1 and metric.last == last):
        return row
    return row | {"min": metric.min, "max": metric.max, "avg": metric.avg, "values": metric.count}
