"""
The program: read arguments, train, write the model.

Runs on a laptop with none of SageMaker's variables; where they are set, they are the defaults. Torch is
imported only once the arguments are right.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from mnist_tracking.errors import ConfigError, MissingDependencyError, MnistTrackingError
from mnist_tracking.training.hyperparameters import (
    Hyperparameters,
    add_arguments,
    known_hyperparameters,
    unknown_message,
)

__all__ = ["main"]

_SAGEMAKER_CHECKPOINTS = Path("/opt/ml/checkpoints")
_INTERRUPTED = 128 + signal.SIGINT
_EXAMPLE = """\
example:
  python -m mnist_tracking.training --data-dir mnist --epochs 2 --hidden-channels 20

The log has a line every --log-interval steps and one per epoch. The epoch with the best accuracy on the held-out
images is kept, and scored once on the test images. Exit codes: 0, 1 for an error while training, 2 for wrong
arguments.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Train as the command line says.

    Args:
        arguments: The command line without the program's name; ``sys.argv`` by default.

    Returns:
        The exit code: 0, or 1 after one line that says what went wrong, or 130 after an interrupt. Wrong arguments
        exit with 2 at once.
    """
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(_unknown(unknown[0]))
    hyperparameters = Hyperparameters(**{name: getattr(options, name) for name in known_hyperparameters()})
    if options.data_dir is None:
        parser.error("no data: give --data-dir, a folder with the four IDX files of MNIST, raw or .gz.")
    try:
        _refuse_several_hosts(options.hosts)
        _import_run()(
            hyperparameters,
            data_dir=options.data_dir,
            model_dir=options.model_dir,
            output_dir=options.output_data_dir,
            checkpoint_dir=options.checkpoint_dir,
            num_gpus=options.num_gpus,
        )
    except KeyboardInterrupt:
        return _fail("interrupted; no model was written.", code=_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at its exit
        return _fail("whoever read the log has gone; no model was written.")
    except (MnistTrackingError, OSError) as exc:
        return _fail(str(exc))
    return 0


def _fail(message: str, *, code: int = 1) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


def _import_run() -> Callable[..., object]:
    """Import torch, which takes most of a second, only once the arguments are right."""
    try:
        from mnist_tracking.training.run import run
    except ModuleNotFoundError as exc:
        if exc.name != "torch":
            raise
        raise MissingDependencyError("torch", "training") from exc
    return run


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m mnist_tracking.training",
        usage="%(prog)s --data-dir DIR [options]",
        description="Train a small convolutional network on MNIST, or on other digits in its format.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_places(parser)
    add_arguments(parser)
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    places = parser.add_argument_group("places", "In a SageMaker job its variables SM_* are the defaults.")
    channel = os.environ.get("SM_CHANNEL_TRAINING") or os.environ.get("MNIST_DATA_DIR")
    checkpoints = _SAGEMAKER_CHECKPOINTS if _SAGEMAKER_CHECKPOINTS.is_dir() else None
    output = os.environ.get("SM_OUTPUT_DATA_DIR")
    for name, default, meaning in (
        ("data-dir", channel, "holds the four IDX files, raw or .gz (default: MNIST_DATA_DIR)"),
        ("model-dir", os.environ.get("SM_MODEL_DIR") or "model", "gets model.pth (default: ./model)"),
        ("output-data-dir", output, "gets history.json, the scores of every epoch"),
        ("checkpoint-dir", checkpoints, "gets one checkpoint per epoch"),
    ):
        flags = (f"--{name}", f"--{name.replace('-', '_')}")
        places.add_argument(*flags, type=Path, default=Path(default) if default else None, metavar="DIR", help=meaning)
    places.add_argument("--hosts", default=os.environ.get("SM_HOSTS") or "[]", help=argparse.SUPPRESS)
    places.add_argument("--current-host", "--current_host", default=None, help=argparse.SUPPRESS)
    places.add_argument(
        "--num-gpus",
        "--num_gpus",
        type=int,
        default=os.environ.get("SM_NUM_GPUS") or None,
        help=argparse.SUPPRESS,
    )


def _unknown(argument: str) -> str:
    if not argument.startswith("-"):
        return f"the argument {argument!r} belongs to no option."
    return unknown_message(argument.lstrip("-").split("=")[0])


def _refuse_several_hosts(hosts: str) -> None:
    try:
        names = json.loads(hosts)
    except ValueError as exc:
        raise ConfigError(f"The list of hosts {hosts!r} is not JSON.") from exc
    if not isinstance(names, list):
        raise ConfigError(f"The list of hosts {hosts!r} is not a list.")
    if len(names) > 1:
        raise ConfigError(f"There are {len(names)} hosts, but this version trains on one. Set instance_count=1.")
