"""``mnist-tracking compare``: what differs between trials."""

import click

from mnist_tracking.cli.completion import trial_names
from mnist_tracking.cli.output import Form, format_option, write_csv, write_json
from mnist_tracking.cli.settings import Settings

__all__ = ["compare"]


@click.command(short_help="Say what differs between trials.")
@click.argument("trials", nargs=-1, required=True, metavar="TRIAL TRIAL...", shell_complete=trial_names)
@format_option()
@click.pass_obj
def compare(settings: Settings, *, trials: tuple[str, ...], form: Form) -> None:
    """
    Say what differs between two or more trials: parameters, data, metrics, status, in all their steps.

    What is the same in all of them is left out.

    \b
    Examples:
      mnist-tracking compare lr-0-1 lr-0-01
      mnist-tracking compare a b c --format json | jq '.differences[].name'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    if len(set(trials)) < max(2, len(trials)):
        raise click.UsageError("Give two or more different trials.")
    with settings.opened() as workspace:
        found = workspace.compare(*trials)
    rows = [
        {"step": one.step, "kind": one.kind, "name": one.name, **dict(zip(found.trials, one.values, strict=True))}
        for one in found.differences
    ]
    match form:
        case "json":
            write_json(found)
        case "csv":
            write_csv(rows)
        case "table" if rows:
            from mnist_tracking.cli.page import Page

            Page().table(rows, keep=3 + len(trials))
        case "table":
            click.echo("No differences.", err=True)
