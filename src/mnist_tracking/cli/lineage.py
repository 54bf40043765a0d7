"""``mnist-tracking lineage``: what went into a model, and what came of it."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs
import click

from mnist_tracking.cli.completion import trial_names
from mnist_tracking.cli.output import Form, format_option, write_csv, write_json
from mnist_tracking.cli.settings import Settings

if TYPE_CHECKING:
    from mnist_tracking.lineage import Lineage

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
      mnist-tracking lineage lr-0.1
      mnist-tracking lineage lr-0.1 --format json | jq '.nodes[].id'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.lineage import LineageTracer

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

    if not found.nodes:
        click.echo(f"Nothing is recorded of {found.trial_name}.", err=True)
        return
    page, folder = Page(), _common_folder(node.label for node in found.nodes)
    if folder:
        page.say(f"Locations are below {folder}\n")
    rows: list[dict[str, object]] = []
    for node in found.nodes:
        sources = dict.fromkeys(source.kind for source in found.upstream(node.id))
        rows.append({"what": node.kind, "made from": ", ".join(sources), "name": node.label.removeprefix(folder)})
    page.table(rows, keep=3)


def _common_folder(labels: Iterable[str]) -> str:
    """Return the folder in S3 that all locations there have in common, with its slash; empty if there is none."""
    common = os.path.commonprefix([label for label in labels if label.startswith("s3://")])  # noqa: RUF071 - cut at a slash below
    folder = common[: common.rfind("/") + 1]
    return folder if folder != "s3://" else ""
