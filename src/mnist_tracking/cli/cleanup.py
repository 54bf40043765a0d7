"""``mnist-tracking cleanup``: delete an experiment and all that was made for it."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from mnist_tracking.cli.completion import experiment_names, trial_names
from mnist_tracking.cli.consent import ask, dry_run_option, yes_option
from mnist_tracking.cli.output import Form, format_option, write_csv, write_json
from mnist_tracking.cli.settings import Settings
from mnist_tracking.cli.values import MOMENT

if TYPE_CHECKING:
    from mnist_tracking.upkeep.cleanup import CleanupPlan, CleanupReport

__all__ = ["cleanup"]

_COLUMNS = ("kind", "name", "trial", "objects", "size_bytes", "deletable", "reason")


@click.command(short_help="Delete an experiment and all that was made for it.")
@click.argument("experiment", shell_complete=experiment_names)
@click.option("--trial", "trials", multiple=True, shell_complete=trial_names, help="Only this trial. Repeat it.")
@click.option("--older-than", type=MOMENT, help="Only trials made before: 2026-11-24, or 30d ago.")
@click.option("--keep-data", is_flag=True, help="Leave the uploaded datasets, and so the experiment.")
@click.option("--include-foreign", is_flag=True, help="Also what others made in the experiment, but for endpoints.")
@dry_run_option
@yes_option
@format_option()
@click.pass_obj
def cleanup(  # noqa: PLR0913 - one for each option
    settings: Settings,
    *,
    experiment: str,
    trials: tuple[str, ...],
    older_than: datetime | None,
    keep_data: bool,
    include_foreign: bool,
    dry_run: bool,
    yes: bool,
    form: Form,
) -> None:
    """
    Delete an experiment and all that mnist-tracking made for it: endpoints, models, components, trials and S3 objects.

    Says what would go and what would stay, and asks. Jobs that run are stopped first. What others made stays. The exit
    status is 1 if something could not be deleted; stopped half-way, the same command carries on.

    \b
    Examples:
      mnist-tracking cleanup mnist-digits --dry-run
      mnist-tracking cleanup mnist-digits --older-than 30d --keep-data
      mnist-tracking cleanup mnist-digits --trial lr-0-1 --yes --format json
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    with settings.opened() as workspace:
        plan = workspace.cleanup_plan(
            experiment,
            trials=trials or None,
            older_than=older_than,
            keep_data=keep_data,
            include_foreign=include_foreign,
        )
        if dry_run:
            _write_plan(plan, form)
            return
        if not yes:
            click.echo(str(plan), err=True)
        ask("Delete this?", yes=yes)
        try:
            report = _execute(plan)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("Not everything is deleted; the same command carries on.") from None
    _write_report(report, form)
    if report.failed:
        raise click.exceptions.Exit(1)


def _execute(plan: "CleanupPlan") -> "CleanupReport":
    """Delete what goes; a terminal shows how far it is."""
    with click.progressbar(length=1, label="Deleting", file=sys.stderr) as bar:

        def on_progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        return plan.execute(on_progress=on_progress)


def _write_plan(plan: "CleanupPlan", form: Form) -> None:
    match form:
        case "json":
            write_json(plan)
        case "csv":
            write_csv({name: getattr(item, name) for name in _COLUMNS} for item in plan.items)
        case "table":
            from mnist_tracking.cli.page import Page

            Page().paragraphs(str(plan))
    click.echo("Nothing was done.", err=True)


def _write_report(report: "CleanupReport", form: Form) -> None:
    told = {
        "deleted": [{"kind": kind, "name": name} for kind, name in report.deleted],
        "kept": [{"kind": kind, "name": name, "reason": reason} for kind, name, reason in report.kept],
        "failed": [{"kind": kind, "name": name, "reason": str(error)} for kind, name, error in report.failed],
    }
    match form:
        case "json":
            write_json({**told, "objects": report.objects, "size_bytes": report.size_bytes})
        case "csv":
            write_csv({"outcome": outcome, **item} for outcome, items in told.items() for item in items)
        case "table":
            from mnist_tracking.cli.page import Page

            Page().paragraphs(str(report))
