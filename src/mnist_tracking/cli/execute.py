"""``mnist-tracking exec``: an unmodified program on the embedded SageMaker."""

import os
import sys

import click

from mnist_tracking.cli.settings import Settings

__all__ = ["execute"]

_NOT_FOUND, _NOT_RUNNABLE = 127, 126  # as shells and env(1) say it


@click.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(settings: Settings, *, command: tuple[str, ...]) -> None:
    """
    Run a program, unmodified, on the embedded SageMaker.

    Whatever boto3, the SageMaker SDK or smexperiments call in it, and in the Python programs that it starts, is
    answered from the folder --home; nothing reaches AWS, and its credentials are of no use. Input, output, signals and
    exit status are the program's own. It must run on a Python that has mnist-tracking.

    \b
    Examples:
      mnist-tracking exec -- python train_with_sagemaker.py --epochs 2
      mnist-tracking --home /tmp/try exec -- pytest tests/test_pipeline.py
      mnist-tracking exec -- jupyter lab
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    if settings.backend != "embedded":
        raise click.UsageError("exec runs a program on the embedded SageMaker; on AWS, run it by itself.")
    from mnist_tracking.embedded.programs import environment

    with settings.opened(make=True) as workspace:
        variables = environment(settings.home, workspace.region, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606 - a program of the user's, without a shell
    except FileNotFoundError:
        raise _failure(f"There is no program {command[0]!r}.", _NOT_FOUND) from None
    except OSError as error:
        raise _failure(f"{command[0]!r} cannot be run: {error.strerror}.", _NOT_RUNNABLE) from None


def _failure(message: str, status: int) -> click.exceptions.Exit:
    click.echo(f"mnist-tracking: {message}", err=True)
    return click.exceptions.Exit(status)
