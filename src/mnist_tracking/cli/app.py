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
from mnist_tracking.cli.cleanup import cleanup
from mnist_tracking.cli.compare import compare
from mnist_tracking.cli.demo.command import demo
from mnist_tracking.cli.deploy import deploy
from mnist_tracking.cli.doctor import doctor
from mnist_tracking.cli.execute import execute
from mnist_tracking.cli.find import list_experiments, search
from mnist_tracking.cli.leaderboard import leaderboard
from mnist_tracking.cli.lineage import lineage
from mnist_tracking.cli.logs import logs
from mnist_tracking.cli.predict import predict
from mnist_tracking.cli.run import run
from mnist_tracking.cli.settings import DEFAULT_HOME, Settings
from mnist_tracking.cli.show import show
from mnist_tracking.cli.sweep import sweep
from mnist_tracking.cli.undeploy import undeploy
from mnist_tracking.errors import MnistTrackingError

__all__ = ["cli"]

_ONLY_WITH = {"home": "embedded", **dict.fromkeys(("profile", "region", "role", "bucket"), "aws")}


class _Group(click.Group):
    """Shows an error of this library as one line, and an interrupt as what is left. Lists commands as added."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

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
    default=DEFAULT_HOME,
    show_default=True,
    envvar="MNIST_TRACKING_HOME",
    help="The folder of the embedded SageMaker.",
)
@click.option("--profile", help="A profile of your AWS configuration, with --backend aws.")
@click.option("--region", help="An AWS region, with --backend aws.")
@click.option(
    "--role",
    envvar="MNIST_TRACKING_ROLE",
    help="The ARN of the role that jobs run under, with --backend aws.  [default: the one you run under]",
)
@click.option(
    "--bucket",
    envvar="MNIST_TRACKING_BUCKET",
    help="A bucket of yours, with --backend aws.  [default: SageMaker's own]",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, /, *, debug: bool, **place: Any) -> None:
    """
    Run, track, compare, trace and deploy training experiments with SageMaker Experiments, with or without an account.

    What a command answers goes to standard output; progress, notes and errors go to standard error, which begins with
    where the calls go.

    Exit status: 0 fine, 1 an error that is explained in one line, 2 wrong usage, 130 interrupted.

    \b
    Examples:
      mnist-tracking demo
      mnist-tracking run train.py -e churn --param lr=0.1 --metric 'f1=f1: (.*?);'
      mnist-tracking leaderboard churn --objective f1
      mnist-tracking --backend aws --profile work search --status Failed
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    del debug  # read by the group, where errors arrive
    for option, needed in _ONLY_WITH.items():
        given = context.get_parameter_source(option) is ParameterSource.COMMANDLINE
        if given and place["backend"] != needed:
            raise click.UsageError(f"--{option} goes with --backend {needed}; the backend is {place['backend']}.")
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # the SDKs turn on the INFO lines of every library
    context.obj = Settings(**place, begun=time.perf_counter())


for command in (
    *(demo, run, sweep),
    *(list_experiments, search, show, compare, leaderboard, lineage, logs),
    *(deploy, predict, undeploy, cleanup, doctor, execute),
):
    cli.add_command(command)
