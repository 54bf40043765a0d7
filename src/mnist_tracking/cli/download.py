"""``mnist-tracking download``: a trial, or a whole experiment, as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
import click

from mnist_tracking.cli.completion import experiment_names, trial_names
from mnist_tracking.cli.counting import count_on_terminal
from mnist_tracking.cli.output import Form, format_option, to_json, write_csv, write_json
from mnist_tracking.cli.settings import Settings
from mnist_tracking.errors import NotFoundError

if TYPE_CHECKING:
    from mnist_tracking.reading.download.experiment import ExperimentDownload
    from mnist_tracking.reading.download.trial import TrialDownload
    from mnist_tracking.workspace import Workspace

__all__ = ["download"]

Kind = Literal["trial", "experiment"]


def _names(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Offer experiments, then trials."""
    return [*experiment_names(context, parameter, typed), *trial_names(context, parameter, typed)]


@click.command(short_help="Write a trial, or a whole experiment, to a folder as files.")
@click.argument("name", shell_complete=_names)
@click.option(
    "--to",
    "directory",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIRECTORY",
    help="The folder: a new one, or that of an earlier download of the same.",
)
@click.option("--model-only", is_flag=True, help="Of a trial: the model alone.")
@click.option("--no-files", is_flag=True, help="Of an experiment: the tables, without models, artifacts and logs.")
@click.option("--kind", type=click.Choice(["trial", "experiment"]), help="Which is meant, where both have that name.")
@format_option()
@click.pass_obj
def download(
    settings: Settings, *, name: str, directory: Path, model_only: bool, no_files: bool, kind: Kind | None, form: Form
) -> None:
    """
    Write a trial to a folder: its model, unpacked, its artifacts, its log and its record.

    Or write a whole experiment: its trials, steps, metrics and lineage as CSV and JSON, and the files of all trials.

    The same command again fetches what is new or has changed. A folder that has trial.json or experiment.json is whole.

    \b
    Examples:
      mnist-tracking download lr-0-1 --to lr-0-1
      mnist-tracking download lr-0-1 --to model --model-only
      mnist-tracking download churn --to churn --no-files --format json | jq .rows
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    if (model_only and (no_files or kind == "experiment")) or (no_files and kind == "trial"):
        raise click.UsageError("--model-only goes with a trial, --no-files with an experiment.")
    said = kind or ("trial" if model_only else "experiment" if no_files else None)
    with settings.opened() as workspace:
        if (said or _kind_of(workspace, name)) == "trial":
            _write_trial(workspace.trial(name).download(directory, model_only=model_only), form)
        else:
            progress = count_on_terminal("steps")
            found = workspace.download(name, directory, files=not no_files, on_progress=progress)
            _write_experiment(found, form)


def _kind_of(workspace: "Workspace", name: str) -> Kind:
    """
    Return what has that name.

    Raises:
        NotFoundError: If nothing has; it names the nearest of both that there are.
    """
    from mnist_tracking._aws.experiments import require_experiment, require_trial

    missing: list[NotFoundError] = []
    for require in (require_experiment, require_trial):
        try:
            require(workspace, name)
        except NotFoundError as error:
            missing.append(error)
    match [error.kind for error in missing]:
        case ["experiment"]:
            return "trial"
        case ["trial"]:
            return "experiment"
        case []:
            raise click.UsageError(f"{name!r} is an experiment and a trial; say which by --kind.")
    raise NotFoundError("experiment or trial", name, [other for error in missing for other in error.existing])


def _write_trial(found: "TrialDownload", form: Form) -> None:
    match form:
        case "json":
            write_json({**to_json(found), "directory": str(found.directory), "missing": found.missing})
        case "csv":
            write_csv(map(attrs.asdict, found.files))
        case "table":
            from mnist_tracking.cli.page import Page

            rows = [
                {"kind": f.kind, "name": f.name, "bytes": f.size_bytes, "path": f.path or "gone"} for f in found.files
            ]
            if rows:
                Page().table(rows, keep=4)
            _say(f"trial {found.trial_name}", found)


def _write_experiment(found: "ExperimentDownload", form: Form) -> None:
    match form:
        case "json":
            write_json({**to_json(found), "directory": str(found.directory)})
        case "csv":
            write_csv({"table": name, "rows": count} for name, count in found.rows.items())
        case "table":
            from mnist_tracking.cli.page import Page

            Page().table([{"table": name, "rows": count} for name, count in found.rows.items()], keep=2)
            _say(f"experiment {found.experiment_name}", found)


def _say(what: str, found: "TrialDownload | ExperimentDownload") -> None:
    click.echo(f"The {what} is in {found.directory}; {found.fetched} objects were fetched.", err=True)
    if found.missing:
        click.echo(f"No longer in S3: {', '.join(found.missing)}", err=True)
