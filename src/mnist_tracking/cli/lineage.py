"""``mnist-tracking lineage``: what went into a model, and what came of it."""

from typing import TYPE_CHECKING

import attrs
import click

from mnist_tracking.cli.completion import trial_names
from mnist_tracking.cli.output import Form, format_option, write_csv, write_json
from mnist_tracking.cli.settings import Settings

if TYPE_CHECKING:
    from mnist_tracking.reading.lineage import Lineage

__all__ = ["lineage"]


@click.command(short_help="Trace what went into a model, and what came of it.")
@click.argument("trial", shell_complete=trial_names)
@format_option()
@click.pass_obj
def lineage(settings: Settings, *, trial: str, form: Form) -> None:
    """
    Trace a model: the data, the code and the steps that went into it, and where it is deployed.

    \b
    Examples:
      mnist-tracking lineage lr-0-1
      mnist-tracking lineage lr-0-1 --format json | jq '.nodes[].id'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.reading.lineage import LineageTracer

    with settings.opened() as workspace:
        found = LineageTracer(workspace).trace(trial)
        match form:
            case "json":
                write_json(found)
            case "csv":
                write_csv(_rows(found))
            case "table":
                _show_page(found)


def _rows(found: "Lineage") -> list[dict[str, object]]:
    """Return a row for each thing, upstream first, with the ids of what it was made from."""
    return [
        {**attrs.asdict(node), "made_from": [source.id for source in found.upstream(node.id)]} for node in found.nodes
    ]


def _show_page(found: "Lineage") -> None:
    from mnist_tracking.cli.page import Page
    from mnist_tracking.reading.lineage import overview

    if not found.nodes:
        click.echo(f"Nothing is recorded of {found.trial_name}.", err=True)
        return
    page, (folder, rows) = Page(), overview(found)
    if folder:
        page.say(f"Locations are below {folder}\n")
    page.table(rows, keep=3)
