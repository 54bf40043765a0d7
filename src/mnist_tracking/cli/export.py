"""``mnist-tracking export``: the model of a trial as a file for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnist_tracking.cli.names import Choice, choice_options, trial_names
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import echo

if TYPE_CHECKING:
    from mnist_tracking.training.exporting import ExportFormat

__all__ = ["export"]


@command(short_help="Export the model of a trial as ONNX, TorchScript or a state-dict.")
@click.argument("trial", shell_complete=trial_names)
@click.option("--to", "path", type=click.Path(path_type=Path), required=True, metavar="FILE", help="File to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "torchscript", "state-dict"]),
    default="onnx",
    show_default=True,
    help="Format of the file.",
)
@click.option("--force", "-f", is_flag=True, help="Replace an existing file.")
@choice_options
@pass_settings
def export(settings: Settings, /, *, trial: str, path: Path, form: "ExportFormat", force: bool, **choice: Any) -> None:
    """
    Export the built-in CNN, as a trial trained it.

    TRIAL is a name, a unique prefix or suffix of one, 'latest' or 'best'. ONNX and TorchScript models take pixels from
    0 to 255 and return probabilities. The exported model's predictions are compared with the original's before the file
    is put in place.

    \b
    Examples:
      mnist-tracking export best -e digits --to digits.onnx
      mnist-tracking export baseline --to digits.pt --format torchscript --force
      mnist-tracking export baseline --to digits.pth --format state-dict
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.mnist.export import export_model

    if path.exists() and not force:
        raise click.UsageError(f"{path} exists already; --force replaces it.")
    chosen = Choice(**choice)
    with settings.opened() as workspace:
        written = export_model(workspace.trial(chosen.find(workspace, trial)), path, format=form, overwrite=force)
    echo("The exported model predicts what the original does.", err=True)
    echo(str(written))
