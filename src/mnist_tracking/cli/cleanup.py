"""``mnist-tracking cleanup``: delete an experiment and everything made for it."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from mnist_tracking.cli.confirm import confirm, dry_run_option, yes_option
from mnist_tracking.cli.names import Choice, experiment_names, trial_names
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import Form, Page, echo, format_option, write_csv, write_json
from mnist_tracking.cli.values import MOMENT

if TYPE_CHECKING:
    from mnist_tracking.upkeep.cleanup import CleanupPlan, CleanupReport

__all__ = ["cleanup"]

_COLUMNS = ("kind", "name", "trial", "objects", "size_bytes", "deletable", "reason")


@command(short_help="Delete an experiment and everything made for it.")
@click.argument("experiment", shell_complete=experiment_names)
@click.option(
    "--trial", "trials", multiple=True, shell_complete=trial_names, help="Delete only this trial. May be repeated."
)
@click.option("--older-than", type=MOMENT, help="Delete only trials created before: a date, or an age such as 30d.")
@click.option("--keep-data", is_flag=True, help="Keep the uploaded datasets, and therefore the experiment.")
@click.option(
    "--include-foreign",
    is_flag=True,
    help="Also delete what other tools created in the experiment or in its S3 folder, except endpoints.",
)
@click.option("--ignore-readers", is_flag=True, help="Also delete data and models that others use.")
@dry_run_option
@yes_option
@format_option()
@pass_settings
def cleanup(  # noqa: PLR0913 - one for each option
    settings: Settings,
    *,
    experiment: str,
    trials: tuple[str, ...],
    older_than: datetime | None,
    keep_data: bool,
    include_foreign: bool,
    ignore_readers: bool,
    dry_run: bool,
    yes: bool,
    form: Form,
) -> None:
    """
    Delete an experiment and all that mnist-tracking made for it: endpoints, models, components, trials and S3 objects.

    Lists what will be deleted and kept, and asks for confirmation. Running jobs are stopped first. What other tools
    created is kept, and so are data and models that other experiments, or SageMaker models, use. The exit status is 1
    if something could not be deleted. If interrupted, run the command again.

    --trial takes a name, a unique prefix or suffix of one, 'latest' or 'best'.

    \b
    Examples:
      mnist-tracking cleanup mnist-digits --dry-run
      mnist-tracking cleanup mnist-digits --older-than 30d --keep-data
      mnist-tracking cleanup mnist-digits --trial baseline --yes --format json
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    with settings.opened() as workspace:
        plan = workspace.cleanup_plan(
            experiment,
            trials=[Choice(experiment=experiment).find(workspace, trial) for trial in trials] or None,
            older_than=older_than,
            keep_data=keep_data,
            include_foreign=include_foreign,
            ignore_readers=ignore_readers,
        )
        if dry_run:
            _write_plan(plan, form)
            return
        if not yes:
            echo(str(plan), err=True)
        confirm("Delete this?", yes=yes)
        try:
            report = _execute(plan)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("Not everything is deleted; run the same command to continue.") from None
    _write_report(report, form)
    if report.failed:
        raise click.exceptions.Exit(1)


def _execute(plan: "CleanupPlan") -> "CleanupReport":
    """Delete as planned, with a progress bar on a terminal."""
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
            Page().say(str(plan), wrap=True)
    echo("Nothing was done.", err=True)


def _write_report(report: "CleanupReport", form: Form) -> None:
    outcomes = {
        "deleted": [{"kind": kind, "name": name} for kind, name in report.deleted],
        "kept": [{"kind": kind, "name": name, "reason": reason} for kind, name, reason in report.kept],
        "failed": [{"kind": kind, "name": name, "reason": str(error)} for kind, name, error in report.failed],
    }
    match form:
        case "json":
            write_json({**outcomes, "objects": report.objects, "size_bytes": report.size_bytes})
        case "csv":
            write_csv({"outcome": outcome, **item} for outcome, items in outcomes.items() for item in items)
        case "table":
            Page().say(str(report), wrap=True)
