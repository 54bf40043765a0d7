"""``mnist-tracking export``: the model of a trial as a file that other programs read."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnist_tracking.cli.completion import trial_names
from mnist_tracking.cli.settings import Settings

if TYPE_CHECKING:
    from mnist_tracking.training.exporting import ExportFormat

__all__ = ["export"]


@click.command(short_help="Write the model of a trial as ONNX, TorchScript or a state-dict.")
@click.argument("trial", shell_complete=trial_names)
@click.option(
    "--to", "path", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file that is written."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "torchscript", "state-dict"]),
    default="onnx",
    show_default=True,
    help="Of the file.",
)
@click.option("--force", "-f", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def export(settings: Settings, *, trial: str, path: Path, form: "ExportFormat", force: bool) -> None:
    """
    Write the digits' CNN that a trial has trained to a file that other programs read.

    ONNX and TorchScript take pixels as they are, and give probabilities. The file is compared with the model before it
    is put in its place.

    \b
    Examples:
      mnist-tracking export lr-0-1 --to digits.onnx
      mnist-tracking export lr-0-1 --to digits.pt --format torchscript --force
      mnist-tracking export lr-0-1 --to digits.pth --format state-dict
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.mnist.export import export_model

    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already; --force replaces it.")
    with settings.opened() as workspace:
        written = export_model(workspace.trial(trial), path, format=form, overwrite=force)
    click.echo("What was written answers as the model does.", err=True)
    click.echo(str(written))
