"""``mnist-tracking download``: a trial or an experiment as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import click

from mnist_tracking._values.json import to_json
from mnist_tracking.cli.names import Choice, choice_options, experiment_names, trial_names
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import Form, Page, count_on_terminal, echo, format_option, write_csv, write_json
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


@command(short_help="Download a trial, or a whole experiment, to a folder.")
@click.argument("name", shell_complete=_names)
@click.option(
    "--to",
    "directory",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIRECTORY",
    help="A new folder, or that of an earlier download of the same trial or experiment.",
)
@click.option("--model-only", is_flag=True, help="Of a trial, download only the model.")
@click.option(
    "--no-files", is_flag=True, help="Of an experiment, download only the tables, without models, artifacts and logs."
)
@click.option(
    "--kind",
    type=click.Choice(["trial", "experiment"]),
    help="What NAME is, if a trial and an experiment have that name.",
)
@choice_options
@format_option()
@pass_settings
def download(
    settings: Settings,
    /,
    *,
    name: str,
    directory: Path,
    model_only: bool,
    no_files: bool,
    kind: Kind | None,
    form: Form,
    **choice: Any,
) -> None:
    """
    Download a trial: its model, unpacked, its artifacts, its log and its record.

    Or download an experiment: its trials, steps, metrics and lineage as CSV and JSON, and the files of all its trials.

    NAME is that of an experiment or a trial; for a trial, a unique prefix or suffix, 'latest' or 'best' will do, too.
    Repeat the command to fetch what is new or has changed. A folder that contains trial.json or experiment.json is
    complete.

    \b
    Examples:
      mnist-tracking download baseline --to baseline
      mnist-tracking download best -e churn --to model --model-only
      mnist-tracking download churn --to churn --no-files --format json | jq .rows
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    if (model_only and (no_files or kind == "experiment")) or (no_files and kind == "trial"):
        raise click.UsageError("--model-only goes with a trial, --no-files with an experiment.")
    asked = kind or ("trial" if model_only or choice["experiment"] else "experiment" if no_files else None)
    chosen = Choice(**choice)
    with settings.opened() as workspace:
        if (asked or _kind_of(workspace, name)) == "trial":
            trial = workspace.trial(chosen.find(workspace, name))
            _write_trial(trial.download(directory, model_only=model_only), form)
        else:
            progress = count_on_terminal("steps")
            found = workspace.download(name, directory, files=not no_files, on_progress=progress)
            _write_experiment(found, form)


def _kind_of(workspace: "Workspace", name: str) -> Kind:
    """
    Return what has that name.

    Raises:
        NotFoundError: If nothing has; the error lists the nearest names of both.
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
            raise click.UsageError(f"{name!r} is both an experiment and a trial; pass --kind.")
    try:
        workspace.resolve_trial(name)  # a prefix or suffix, 'latest' or 'best'
    except NotFoundError:
        pass
    else:
        return "trial"
    raise NotFoundError("experiment or trial", name, [other for error in missing for other in error.existing])


def _write_trial(found: "TrialDownload", form: Form) -> None:
    match form:
        case "json":
            write_json({**to_json(found), "directory": str(found.directory), "missing": found.missing})
        case "csv":
            write_csv(map(attrs.asdict, found.files))
        case "table":
            rows = [
                {"kind": f.kind, "name": f.name, "bytes": f.size_bytes, "path": f.path or "gone"} for f in found.files
            ]
            if rows:
                Page().table(rows, keep=4)
            _say(f"trial {found.trial}", found)


def _write_experiment(found: "ExperimentDownload", form: Form) -> None:
    match form:
        case "json":
            write_json({**to_json(found), "directory": str(found.directory)})
        case "csv":
            write_csv({"table": name, "rows": count} for name, count in found.rows.items())
        case "table":
            Page().table([{"table": name, "rows": count} for name, count in found.rows.items()], keep=2)
            _say(f"experiment {found.experiment}", found)


def _say(what: str, found: "TrialDownload | ExperimentDownload") -> None:
    echo(f"The {what} is in {found.directory}. Objects fetched: {found.fetched}.", err=True)
    if found.missing:
        echo(f"No longer in S3: {', '.join(found.missing)}", err=True)
