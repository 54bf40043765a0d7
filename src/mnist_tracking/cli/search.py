"""``mnist-tracking list`` and ``search``: find experiments and trials."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import click

from mnist_tracking._values.records import ExperimentSummary
from mnist_tracking.cli.filters import Filters, filter_options, time_options
from mnist_tracking.cli.names import experiment_names
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import (
    Form,
    Page,
    count_on_terminal,
    echo,
    format_option,
    write_csv,
    write_json,
    write_table,
)
from mnist_tracking.cli.trials import shown_metrics, trial_row, write_trials
from mnist_tracking.cli.values import PAIR, pairs
from mnist_tracking.reading.trial import Trial

__all__ = ["list_experiments", "search"]

T = TypeVar("T")
_SCREENFUL = 50
_limit = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Show at most N.  [default: {_SCREENFUL} in a table, else all]",
)


@command(name="list", short_help="List experiments.")
@click.option("--name", "name_contains", metavar="TEXT", help="Part of the name, in any case.")
@click.option("--tag", "tags", type=PAIR, multiple=True, help="Tag of the experiments. May be repeated.")
@time_options
@_limit
@format_option()
@pass_settings
def list_experiments(
    settings: Settings,
    *,
    name_contains: str | None,
    tags: tuple[tuple[str, str], ...],
    created_after: datetime | None,
    created_before: datetime | None,
    limit: int | None,
    form: Form,
) -> None:
    """
    List experiments, the newest first.

    \b
    Examples:
      mnist-tracking list
      mnist-tracking list --name mnist --tag team=cv --created-after 7d
      mnist-tracking list --format json | jq -r '.[].name'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    wanted = pairs(tags, "--tag")
    with settings.opened() as workspace:
        found = _first(
            workspace.experiments(
                name_contains=name_contains, created_after=created_after, created_before=created_before, tags=wanted
            ),
            limit,
            form,
        )
        match form:
            case "json":
                write_json(found)
            case "csv":
                write_csv(map(_experiment_row, found))
            case "table":
                _write_experiments(found, settings)


def _experiment_row(experiment: ExperimentSummary) -> dict[str, object]:
    return {
        "experiment": experiment.name,
        "created": experiment.created,
        "description": experiment.description,
        **{f"tag.{key}": value for key, value in sorted(experiment.tags.items())},
    }


def _write_experiments(found: Sequence[ExperimentSummary], settings: Settings) -> None:
    if not found:
        echo("No experiments.", err=True)
        return
    rows = [{"experiment": e.name, "created": e.created, "description": e.description} for e in found]
    Page().table(rows, keep=3)
    echo(f"To list the trials of one: {settings.command('search', '--experiment', found[0].name)}", err=True)


@command(short_help="Find trials by metrics, hyperparameters, status, tags and time.")
@click.option(
    "-e",
    "--experiment",
    "experiments",
    multiple=True,
    shell_complete=experiment_names,
    help="In this experiment; if repeated, in any of these.  [default: all]",
)
@filter_options
@_limit
@format_option()
@pass_settings
def search(
    settings: Settings, /, *, experiments: tuple[str, ...], limit: int | None, form: Form, **filters: Any
) -> None:
    """
    Find trials, the newest first, whichever tool created them.

    A condition is a name, one of = != < <= > >= ~ (contains), and a value; a name alone matches trials that have it.
    Quote conditions: < and > are special characters of a shell. All conditions must hold; if --experiment or --status
    is repeated, any of the values matches. Accuracies of the built-in CNN are in percent.

    \b
    Examples:
      mnist-tracking search --experiment mnist-digits
      mnist-tracking search --metric 'test:accuracy>97' --param optimizer=sgd
      mnist-tracking search -e churn-1 -e churn-2 --status Failed
      mnist-tracking search --tag team=cv --format csv > trials.csv
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    wanted = Filters(**filters)
    with settings.opened() as workspace:
        found = _first(
            workspace.trials(list(experiments) or None, where=wanted.where(), on_progress=count_on_terminal("trials")),
            limit,
            form,
        )
        match form:
            case "json":
                write_json(found)
            case "csv":
                from mnist_tracking.reading.trial import trial_table

                write_table(trial_table(found))
            case "table":
                _write_found(found, wanted)


def _write_found(found: Sequence[Trial], wanted: Filters) -> None:
    from mnist_tracking.reading.leaderboard import differing

    if not found:
        echo("No trials.", err=True)
        return
    parameters, metrics = differing(found), shown_metrics(found, wanted.metric_names())
    several = len({trial.experiment for trial in found}) > 1
    rows = []
    for trial in found:
        row = trial_row(trial, parameters, metrics)
        rows.append({**row, "experiment": trial.experiment} if several else row)
    write_trials(rows)


def _first(found: Iterable[T], limit: int | None, form: Form) -> list[T]:
    """Return what is shown; report a table that is cut short."""
    most = limit or (_SCREENFUL if form == "table" else None)
    listed = list(islice(found, None if most is None else most + 1))
    if most is None or len(listed) <= most:
        return listed
    if limit is None:
        echo(f"Only the newest {most} are shown; --limit shows more.", err=True)
    return listed[:most]
