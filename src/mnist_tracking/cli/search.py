"""``mnist-tracking list`` and ``search``: what is there."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import click

from mnist_tracking._values.records import ExperimentSummary
from mnist_tracking.cli.completion import experiment_names
from mnist_tracking.cli.counting import count_on_terminal
from mnist_tracking.cli.narrowing import Narrowing, narrowing_options, time_options
from mnist_tracking.cli.output import Form, format_option, write_csv, write_json
from mnist_tracking.cli.settings import Settings
from mnist_tracking.cli.values import PAIR, pairs
from mnist_tracking.reading.trial import Trial

__all__ = ["list_experiments", "search"]

T = TypeVar("T")
_SCREENFUL = 50
_limit = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"At most so many.  [default: {_SCREENFUL} in a table, else all]",
)


@click.command(name="list")
@click.option("--name", "name_contains", metavar="TEXT", help="A part of the name; case does not matter.")
@click.option("--tag", "tags", type=PAIR, multiple=True, help="What they are tagged with. May be repeated.")
@time_options
@_limit
@format_option()
@click.pass_obj
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
                _show_experiments(found, settings)


def _experiment_row(experiment: ExperimentSummary) -> dict[str, object]:
    return {
        "experiment": experiment.name,
        "created": experiment.created,
        "description": experiment.description,
        **{f"tag.{key}": value for key, value in sorted(experiment.tags.items())},
    }


def _show_experiments(found: Sequence[ExperimentSummary], settings: Settings) -> None:
    from mnist_tracking.cli.page import Page

    if not found:
        click.echo("No experiments.", err=True)
        return
    rows = [{"experiment": e.name, "created": e.created, "description": e.description} for e in found]
    Page().table(rows, keep=3)
    click.echo(f"The trials of one: {settings.command('search', '--experiment', found[0].name)}", err=True)


@click.command()
@click.option(
    "-e",
    "--experiment",
    "experiments",
    multiple=True,
    shell_complete=experiment_names,
    help="In this experiment; repeated, in any of these.  [default: all]",
)
@narrowing_options
@_limit
@format_option()
@click.pass_obj
def search(
    settings: Settings, /, *, experiments: tuple[str, ...], limit: int | None, form: Form, **narrowing: Any
) -> None:
    """
    Find trials, the newest first, whoever made them.

    A condition is a name, one of = != < <= > >= ~ (contains), and a value; a name alone asks for what has it at all.
    Quote it, since < and > mean something to a shell. All conditions must hold; of several --experiment or --status,
    one.

    \b
    Examples:
      mnist-tracking search --experiment mnist-digits
      mnist-tracking search --metric 'test:accuracy>0.97' --param optimizer=sgd
      mnist-tracking search -e a -e b --status Failed --created-after 12h
      mnist-tracking search --tag team=cv --format csv > trials.csv
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    wanted = Narrowing(**narrowing)
    with settings.opened() as workspace:
        found = _first(
            workspace.trials(
                list(experiments) or None, where=wanted.filters(), on_progress=count_on_terminal("trials")
            ),
            limit,
            form,
        )
        match form:
            case "json":
                write_json(found)
            case "csv":
                from mnist_tracking.reading.trial import trial_row

                write_csv(map(trial_row, found))
            case "table":
                _show_trials(found, wanted)


def _show_trials(found: Sequence[Trial], wanted: Narrowing) -> None:
    from mnist_tracking.cli.page import Page
    from mnist_tracking.cli.trials import shown_metrics, trial_row
    from mnist_tracking.reading.leaderboard import differing

    if not found:
        click.echo("No trials.", err=True)
        return
    parameters, metrics = differing(found), shown_metrics(found, wanted.metric_names())
    several = len({trial.experiment for trial in found}) > 1
    rows = []
    for trial in found:
        row = trial_row(trial, parameters, metrics)
        rows.append({**row, "experiment": trial.experiment} if several else row)
    Page().table(rows)


def _first(found: Iterable[T], limit: int | None, form: Form) -> list[T]:
    """Return what is shown; of a table that is cut short, say so."""
    most = limit or (_SCREENFUL if form == "table" else None)
    listed = list(islice(found, None if most is None else most + 1))
    if most is None or len(listed) <= most:
        return listed
    if limit is None:
        click.echo(f"The newest {most}; --limit shows more.", err=True)
    return listed[:most]
