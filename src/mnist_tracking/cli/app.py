"""The command ``mnist-tracking``: parse, call the library, print, exit."""

import logging
import re
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import click

import mnist_tracking
from mnist_tracking.cli import interrupts
from mnist_tracking.cli.cleanup import cleanup
from mnist_tracking.cli.demo.command import demo
from mnist_tracking.cli.deploy import deploy, undeploy
from mnist_tracking.cli.doctor import doctor
from mnist_tracking.cli.download import download
from mnist_tracking.cli.execute import execute
from mnist_tracking.cli.export import export
from mnist_tracking.cli.leaderboard import leaderboard
from mnist_tracking.cli.options import Group, global_options, start_clock
from mnist_tracking.cli.output import echo
from mnist_tracking.cli.predict import predict
from mnist_tracking.cli.report import report
from mnist_tracking.cli.run import run
from mnist_tracking.cli.search import list_experiments, search
from mnist_tracking.cli.show import compare, lineage, logs, show
from mnist_tracking.cli.sweep import sweep
from mnist_tracking.errors import AccessDeniedError, ConfigError, MnistTrackingError, StateError

__all__ = ["cli", "in_options", "options_of"]

_KEYWORD = re.compile(r"\b(?P<name>[a-z][a-z_]*)=(?P<value>True\b|'[^']*'|[\w-]+)?")
_NAME = re.compile(r"(?<!['.])\b[a-z]+(?:_[a-z]+)+\b(?![':])")  # but no key of a file


def options_of(commands: Iterable[click.Command]) -> dict[str, str]:
    """Return the long option for each parameter of some commands."""
    given = (parameter for command in commands for parameter in command.params if isinstance(parameter, click.Option))
    return {str(parameter.name): max(parameter.opts, key=len) for parameter in given}


def in_options(message: str, options: Mapping[str, str]) -> str:
    """
    Replace the keywords in an error message by the options that set them.

    Example:
        >>> options = {"region": "--region", "create_bucket": "--create-bucket", "kms_key": "--kms-key"}
        >>> in_options("Pass region= or create_bucket=True. kms_key='x' is not a key; kms_key is.", options)
        "Pass --region or --create-bucket. --kms-key 'x' is not a key; --kms-key is."
    """

    def typed(found: re.Match[str]) -> str:
        option, value = options.get(found["name"]), found["value"]
        if option is None:
            return found[0]
        return option if value in (None, "True") else f"{option} {value}"

    return _NAME.sub(lambda found: options.get(found[0], found[0]), _KEYWORD.sub(typed, message))


class _Program(Group):
    """Shows an error of this library as one line, and after an interrupt what is left."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MnistTrackingError as error:
            if ctx.params["debug"]:
                echo(traceback.format_exc(), err=True)
            echo(f"mnist-tracking: {self._message(error, ctx)}", err=True)
            ctx.exit(1)
        except (KeyboardInterrupt, click.Abort) as stop:
            interrupts.ignore()  # another one would only interrupt the exit
            echo(f"\nmnist-tracking: interrupted. {stop}".rstrip(), err=True)
            ctx.exit(130)

    def _message(self, error: MnistTrackingError, ctx: click.Context) -> str:
        """Return the message, with options in place of the keywords of Python."""
        if not isinstance(error, AccessDeniedError | ConfigError | StateError):
            return str(error)
        called = self.commands.get(ctx.invoked_subcommand or "")
        return in_options(str(error), options_of([self, *([called] if called else [])]))


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mnist_tracking.__version__, prog_name="mnist-tracking")
@global_options
@click.pass_context
def cli(context: click.Context, /, **_options: Any) -> None:
    """
    Run, track, compare, trace and deploy training experiments with SageMaker Experiments, with or without an account.

    Results go to standard output. Progress, notes and errors go to standard error, which begins with the backend, the
    account and the region.

    The options below may be given before or after the command.

    Exit status: 0 success, 1 an error, explained in one line, 2 wrong usage, 130 interrupted.

    \b
    Examples:
      mnist-tracking demo
      mnist-tracking run train.py -e churn --param lr=0.1 --metric 'f1=f1: (.*?);'
      mnist-tracking leaderboard churn --objective f1
      mnist-tracking search --status Failed --backend aws --profile work
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # the SDKs turn on the INFO lines of every library
    start_clock(context)


cli.add_section("Train", (demo, run, sweep))
cli.add_section("Look", (list_experiments, search, show, compare, leaderboard, report, lineage, logs, download))
cli.add_section("Deploy", (deploy, predict, undeploy, export))
cli.add_section("Maintain", (cleanup, doctor, execute))
