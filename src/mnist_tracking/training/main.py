"""
The training program: parse arguments, train, write the model.

Runs outside SageMaker, too; SageMaker's environment variables, if set, are the defaults. Torch is imported only
after the arguments have been checked.
"""

import argparse
import difflib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from mnist_tracking.errors import MissingDependencyError, MnistTrackingError, StoppedError
from mnist_tracking.training.hyperparameters import Hyperparameters, unknown_message
from mnist_tracking.training.membership import find_membership
from mnist_tracking.training.options import add_hyperparameters, read_hyperparameters

__all__ = ["main"]

_INTERRUPTED = 128 + signal.SIGINT
_PLACES = ("data-dir", "model-dir", "output-data-dir", "checkpoint-dir")
_CHECKPOINTS = "checkpoint folder: one checkpoint per epoch; a run resumes from the newest"
_EXAMPLE = """\
example:
  python -m mnist_tracking.training --data-dir mnist --epochs 2 --hidden-channels 20

The log has a line every --log-interval steps and one per epoch. The program keeps the weights of the epoch with the
best accuracy on the held-out images, and scores them once on the test images. With --checkpoint-dir, an interrupted
run (SIGTERM, Ctrl-C) writes a checkpoint before it exits, and the same command resumes from it. Exit codes: 0 on
success, 1 for an error while training, 2 for invalid arguments, 130 after Ctrl-C, 143 after SIGTERM.
"""


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the training program.

    Args:
        arguments: Command line arguments without the program's name. Defaults to ``sys.argv``.

    Returns:
        The exit code: 0 on success, 1 after an error, which is printed in one line, or 128 plus the number of the
        signal that ended the run, such as 143 after SIGTERM. Invalid arguments exit with 2.
    """
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(_unknown(unknown[0]))
    if options.data_dir is None:
        parser.error("no data: pass --data-dir, a folder with the four IDX files of MNIST, raw or .gz.")
    try:
        _import_run()(read_hyperparameters(options), options)
    except StoppedError as exc:
        return _fail(str(exc), code=128 + signal.Signals[exc.signal] if exc.signal in signal.Signals.__members__ else 1)
    except KeyboardInterrupt:
        return _fail("interrupted before the run was finished.", code=_INTERRUPTED)
    except BrokenPipeError:
        _leave_log()
        return _fail("standard output was closed before the run was finished.")
    except MnistTrackingError as exc:
        return _fail(str(exc))
    except OSError as exc:
        _leave_log()
        return _fail(str(exc) if exc.filename else f"the log cannot be written: {exc.strerror or exc}.")
    return 0


def _leave_log() -> None:
    """Discard unwritten output, or Python would report the error again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, *, code: int = 1) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


def _import_run() -> Callable[[Hyperparameters, argparse.Namespace], object]:
    """Import torch, which takes most of a second, only after the arguments have been checked."""
    try:
        from mnist_tracking.training.checkpointing import noted_signals
        from mnist_tracking.training.run import Places, run
    except ModuleNotFoundError as exc:
        if exc.name != "torch":
            raise
        raise MissingDependencyError("torch", "training") from exc

    def start(hyperparameters: Hyperparameters, options: argparse.Namespace) -> None:
        places = Places(
            data=options.data_dir,
            model=options.model_dir,
            output=options.output_data_dir,
            checkpoints=options.checkpoint_dir,
        )
        membership = find_membership(hosts=options.hosts, current_host=options.current_host, environment=os.environ)
        stop = noted_signals() if places.checkpoints else None
        run(hyperparameters, places, num_gpus=options.num_gpus, membership=membership, stop=stop)

    return start


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m mnist_tracking.training",
        usage="%(prog)s --data-dir DIR [options]",
        description="Train a small convolutional network on MNIST, or on other digits in the same format.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_places(parser)
    add_hyperparameters(parser)
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    places = parser.add_argument_group("folders", "In a SageMaker job, the defaults are taken from its SM_* variables.")
    channel = os.environ.get("SM_CHANNEL_TRAINING") or os.environ.get("MNIST_DATA_DIR")
    output = os.environ.get("SM_OUTPUT_DATA_DIR") or "output"
    for name, default, meaning in (
        ("data-dir", channel, "folder with the four IDX files, raw or .gz (default: MNIST_DATA_DIR)"),
        ("model-dir", os.environ.get("SM_MODEL_DIR") or "model", "folder for model.pth (default: ./model)"),
        ("output-data-dir", output, "folder for scores, confusion matrix and misclassified images (default: ./output)"),
        ("checkpoint-dir", _sagemakers_checkpoints(), _CHECKPOINTS),
    ):
        flags = (f"--{name}", f"--{name.replace('-', '_')}")
        places.add_argument(*flags, type=Path, default=Path(default) if default else None, metavar="DIR", help=meaning)
    places.add_argument("--hosts", default=os.environ.get("SM_HOSTS") or "[]", help=argparse.SUPPRESS)
    places.add_argument(
        "--current-host", "--current_host", default=os.environ.get("SM_CURRENT_HOST"), help=argparse.SUPPRESS
    )
    places.add_argument(
        "--num-gpus",
        "--num_gpus",
        type=int,
        default=os.environ.get("SM_NUM_GPUS") or None,
        help=argparse.SUPPRESS,
    )


def _sagemakers_checkpoints() -> Path | None:
    """Return the folder that SageMaker syncs to S3; it has no variable, but is next to the model folder in /opt/ml."""
    model = os.environ.get("SM_MODEL_DIR")
    folder = Path(model).parent / "checkpoints" if model else None
    return folder if folder and folder.is_dir() else None


def _unknown(argument: str) -> str:
    if not argument.startswith("-"):
        return f"unexpected argument {argument!r}."
    name = argument.lstrip("-").split("=")[0]
    if near := difflib.get_close_matches(name.replace("_", "-"), _PLACES, n=1):
        return f"unknown option {argument.split('=')[0]!r}. Did you mean '--{near[0]}'?"
    return unknown_message(name)
