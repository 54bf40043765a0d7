"""The command ``mnist-tracking``: parse, call the library, print, exit."""

import sys
import traceback
from pathlib import Path

import click

import mnist_tracking
from mnist_tracking.errors import MnistTrackingError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mnist_tracking.__version__, prog_name="mnist-tracking")
@click.option(
    "--backend", type=click.Choice(["embedded", "aws"]), help="Where the calls go; embedded unless said otherwise."
)
@click.option("--home", type=click.Path(path_type=Path), help="The folder of the embedded SageMaker.")
@click.option("--profile", help="AWS: a profile of your configuration.")
@click.option("--region", help="AWS: the region.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(
    context: click.Context,
    *,
    backend: str | None,
    home: Path | None,
    profile: str | None,
    region: str | None,
    debug: bool,
) -> None:
    """
    Run, track, compare, trace and deploy training experiments with SageMaker Experiments, with or without an account.

    Exit status: 0 fine, 1 an error that is explained in one line, 2 wrong usage, 130 interrupted.
    """
    context.obj = {"backend": backend, "home": home, "profile": profile, "region": region, "debug": debug}


def add_commands() -> None:
    """Register the commands."""
    from mnist_tracking.cli.demo.command import demo

    cli.add_command(demo)


def main() -> None:
    """Run the command line; an error of this library is one line on standard error."""
    add_commands()
    try:
        cli.main(standalone_mode=False)
    except MnistTrackingError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        click.echo(f"mnist-tracking: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("mnist-tracking: interrupted.", err=True)
        sys.exit(130)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
