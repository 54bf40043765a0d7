"""The options that stand before the command: where the calls go, and what holds for everything that is made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from mnist_tracking.cli.sections import options_in
from mnist_tracking.cli.settings import DEFAULT_HOME
from mnist_tracking.cli.values import PAIR

__all__ = ["place_options", "refuse_misplaced"]

_ONLY_WITH = {"home": "embedded", "profile": "aws", "region": "aws"}


def _from_environment(name: str) -> str:
    return f"MNIST_TRACKING_{name}"


_WHERE = options_in(
    "Where the calls go",
    (
        ("--backend",),
        {
            "type": click.Choice(["embedded", "aws"]),
            "default": "embedded",
            "show_default": True,
            "envvar": _from_environment("BACKEND"),
            "help": "Never guessed from credentials.",
        },
    ),
    (
        ("--home",),
        {
            "type": click.Path(path_type=Path),
            "default": DEFAULT_HOME,
            "show_default": True,
            "envvar": _from_environment("HOME"),
            "help": "The folder of the embedded SageMaker.",
        },
    ),
    (("--profile",), {"help": "A profile of your AWS configuration, with --backend aws."}),
    (("--region",), {"help": "An AWS region, with --backend aws."}),
)


def _setting(flag: str, variable: str, text: str, **more: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return an option of which None says that nothing was said."""
    return tuple(flag.split()), {"envvar": _from_environment(variable), "help": text, "default": None, **more}


_SETTINGS = options_in(
    "What holds for everything that is made",
    _setting("--role", "ROLE", "Of jobs and models.  [default: yours]", metavar="ARN"),
    _setting("--bucket", "BUCKET", "Where files go.  [default: SageMaker's own]", metavar="NAME"),
    _setting("--prefix", "PREFIX", "Where in it.  [default: mnist-tracking]", metavar="PATH"),
    _setting(
        "--create-bucket/--no-create-bucket",
        "CREATE_BUCKET",
        "Whether a missing bucket is made.  [default: on AWS only SageMaker's own]",
    ),
    _setting("--kms-key", "KMS_KEY", "Encrypts files and volumes.", metavar="ID|ARN"),
    _setting("--subnet subnets", "SUBNET", "Of jobs and models. Repeat it.", metavar="ID", multiple=True),
    _setting(
        "--security-group security_group_ids",
        "SECURITY_GROUP",
        "With --subnet. Repeat it.",
        metavar="ID",
        multiple=True,
    ),
    _setting(
        "--network-isolation/--no-network-isolation",
        "NETWORK_ISOLATION",
        "Whether jobs and models have no network at all.",
    ),
    _setting(
        "--encrypt-traffic/--no-encrypt-traffic",
        "ENCRYPT_TRAFFIC",
        "Whether the traffic between the hosts of a job is encrypted.",
    ),
    _setting("--tag tags", "TAG", "On everything but files in S3. Repeat it.", type=PAIR, multiple=True),
)


def place_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a group the options that `Settings.of` reads."""
    decorated: Callable[..., Any] = _WHERE(_SETTINGS(function))
    return decorated


def refuse_misplaced(context: click.Context) -> None:
    """
    Hold the options to the backend that they are about.

    Raises:
        click.UsageError: If one was typed that goes with the other.
    """
    backend = context.params["backend"]
    for option, needed in _ONLY_WITH.items():
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE and backend != needed:
            raise click.UsageError(f"--{option} goes with --backend {needed}; the backend is {backend}.")
