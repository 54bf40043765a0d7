"""The command ``mnist-tracking``: parse, call the library, print, exit."""

import logging
import time
import traceback
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import mnist_tracking
from mnist_tracking.cli import interrupts
from mnist_tracking.cli.demo.command import demo
from mnist_tracking.cli.doctor import doctor
from mnist_tracking.cli.settings import Settings
from mnist_tracking.errors import MnistTrackingError

__all__ = ["cli"]

_ONLY_WITH = {"home": "embedded", "profile": "aws", "region": "aws"}


class _Group(click.Group):
    """Shows an error of this library as one line, and an interrupt as what is left."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MnistTrackingError as error:
            if ctx.params["debug"]:
                traceback.print_exc()
            click.echo(f"mnist-tracking: {error}", err=True)
            ctx.exit(1)
        except (KeyboardInterrupt, click.Abort) as stop:
            interrupts.ignore()  # another one would only break off the exit
            click.echo(f"\nmnist-tracking: interrupted. {stop}".rstrip(), err=True)
            ctx.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mnist_tracking.__version__, prog_name="mnist-tracking")
@click.option(
    "--backend",
    type=click.Choice(["embedded", "aws"]),
    default="embedded",
    show_default=True,
    envvar="MNIST_TRACKING_BACKEND",
    help="Where the calls go. Never guessed from credentials.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=Path(".mnist-tracking"),
    show_default=True,
    envvar="MNIST_TRACKING_HOME",
    help="The folder of the embedded SageMaker.",
)
@click.option("--profile", help="A profile of your AWS configuration, with --backend aws.")
@click.option("--region", help="An AWS region, with --backend aws.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(
    context: click.Context, *, backend: str, home: Path, profile: str | None, region: str | None, debug: bool
) -> None:
    """
    Run, track, compare, trace and deploy training experiments with SageMaker Experiments, with or without an account.

    What a command answers goes to standard output; progress, notes and errors go to standard error.

    Exit status: 0 fine, 1 an error that is explained in one line, 2 wrong usage, 130 interrupted.
    """
    del debug  # read by the group, where errors arrive
    for option, needed in _ONLY_WITH.items():
        given = context.get_parameter_source(option) is ParameterSource.COMMANDLINE
        if given and backend != needed:
            raise click.UsageError(f"--{option} goes with --backend {needed}; the backend is {backend}.")
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # the SDKs turn on the INFO lines of every library
    context.obj = Settings(backend=backend, home=home, profile=profile, region=region, begun=time.perf_counter())


cli.add_command(demo)
cli.add_command(doctor)
