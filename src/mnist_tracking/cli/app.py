"""The command ``mnist-tracking``: parse, call the library, print, exit."""

import logging
import time
import traceback
from typing import Any

import click

import mnist_tracking
from mnist_tracking.cli import interrupts
from mnist_tracking.cli.cleanup import cleanup
from mnist_tracking.cli.compare import compare
from mnist_tracking.cli.demo.command import demo
from mnist_tracking.cli.deploy import deploy
from mnist_tracking.cli.doctor import doctor
from mnist_tracking.cli.download import download
from mnist_tracking.cli.execute import execute
from mnist_tracking.cli.export import export
from mnist_tracking.cli.find import list_experiments, search
from mnist_tracking.cli.leaderboard import leaderboard
from mnist_tracking.cli.lineage import lineage
from mnist_tracking.cli.logs import logs
from mnist_tracking.cli.place import place_options, refuse_misplaced
from mnist_tracking.cli.predict import predict
from mnist_tracking.cli.run import run
from mnist_tracking.cli.sections import SectionedGroup
from mnist_tracking.cli.settings import Settings
from mnist_tracking.cli.show import show
from mnist_tracking.cli.sweep import sweep
from mnist_tracking.cli.undeploy import undeploy
from mnist_tracking.cli.wording import in_options, options_of
from mnist_tracking.errors import AccessDeniedError, ConfigError, MnistTrackingError, StateError

__all__ = ["cli"]


class _Group(SectionedGroup):
    """Shows an error of this library as one line, and an interrupt as what is left."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MnistTrackingError as error:
            if ctx.params["debug"]:
                traceback.print_exc()
            click.echo(f"mnist-tracking: {self._said(error, ctx)}", err=True)
            ctx.exit(1)
        except (KeyboardInterrupt, click.Abort) as stop:
            interrupts.ignore()  # another one would only break off the exit
            click.echo(f"\nmnist-tracking: interrupted. {stop}".rstrip(), err=True)
            ctx.exit(130)

    def _said(self, error: MnistTrackingError, ctx: click.Context) -> str:
        """Return the message; where it is about what was asked, in words of the command line."""
        if not isinstance(error, AccessDeniedError | ConfigError | StateError):
            return str(error)
        called = self.commands.get(ctx.invoked_subcommand or "")
        return in_options(str(error), options_of([self, *([called] if called else [])]))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mnist_tracking.__version__, prog_name="mnist-tracking")
@place_options
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, /, **_options: Any) -> None:
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
    refuse_misplaced(context)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # the SDKs turn on the INFO lines of every library
    context.obj = Settings.of(context.params, begun=time.perf_counter())


cli.add_section("Train", (demo, run, sweep))
cli.add_section("Look", (list_experiments, search, show, compare, leaderboard, lineage, logs, download))
cli.add_section("Deploy", (deploy, predict, undeploy, export))
cli.add_section("Look after it", (cleanup, doctor, execute))
