"""``mnist-tracking exec``: run an unmodified program on the embedded SageMaker."""

import os
import sys

import click

from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import echo

__all__ = ["execute"]

_NOT_FOUND, _NOT_RUNNABLE = 127, 126  # as in shells and env(1)


@command(
    name="exec",
    short_help="Run an unmodified program on the embedded SageMaker.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@pass_settings
def execute(settings: Settings, *, words: tuple[str, ...]) -> None:
    """
    Run an unmodified program on the embedded SageMaker.

    Calls of boto3, the SageMaker SDK and smexperiments, in the program and in the Python programs that it starts, go to
    the embedded SageMaker in the folder --home; nothing reaches AWS. Input, output, signals and exit status are the
    program's own. mnist-tracking must be installed in its Python environment.

    The fence is the environment: AWS profiles are there by name, without their keys. A child that the program starts
    with an environment of its own (env -i, sudo, a container, a service) is outside: with the user's HOME it finds
    ~/.aws/credentials, and reaches the real account. For such programs, set HOME to an empty folder, too.

    \b
    Examples:
      mnist-tracking exec -- python train_with_sagemaker.py --epochs 2
      mnist-tracking --home /tmp/try exec -- pytest tests/test_pipeline.py
      mnist-tracking exec -- jupyter lab
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    if settings.backend != "embedded":
        raise click.UsageError("exec runs a program on the embedded SageMaker; on AWS, run the program without it.")
    from mnist_tracking.embedded.programs import environment

    with settings.opened(create=True) as workspace:
        variables = environment(settings.home, workspace.region, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(words[0], words, variables)  # noqa: S606 - the user's program, without a shell
    except FileNotFoundError:
        raise _failure(f"No program named {words[0]!r}.", _NOT_FOUND) from None
    except OSError as error:
        raise _failure(f"{words[0]!r} cannot be run: {error.strerror}.", _NOT_RUNNABLE) from None


def _failure(message: str, status: int) -> click.exceptions.Exit:
    echo(f"mnist-tracking: {message}", err=True)
    return click.exceptions.Exit(status)
