"""``mnist-tracking demo``: the command, its options, and how long its phases take."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import click

from mnist_tracking._values.text import duration
from mnist_tracking.cli.confirm import confirm_cost
from mnist_tracking.cli.demo.options import Options, Timings
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.errors import MissingDependencyError

__all__ = ["available_cores", "demo", "parse_channels", "require_packages"]


def parse_channels(text: str) -> tuple[int, ...]:
    """
    Read whole numbers separated by commas.

    Raises:
        ValueError: If they are anything else, less than 1, or not all different.

    Example:
        >>> parse_channels("2, 5,10")
        (2, 5, 10)
    """
    try:
        channels = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r}; expected whole numbers separated by commas, such as 2,5,10.") from None
    if min(channels) < 1 or len(set(channels)) < len(channels):
        raise ValueError(f"{text!r}; expected different numbers, at least 1.")
    return channels


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def require_packages(names: Iterable[str]) -> None:
    """
    Check that packages are installed, without importing them.

    Raises:
        MissingDependencyError: If one is not; names the pip command.
    """
    for name in names:
        if find_spec(name) is None:
            raise MissingDependencyError(name, "demo")


def _channels(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return parse_channels(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@command(short_help="Run the whole workflow on MNIST.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    default=2,
    show_default=True,
    help="Epochs to train each model.",
)
@click.option(
    "--channels",
    metavar="N,N,...",
    default="2,5,10,20,32",
    show_default=True,
    callback=_channels,
    help="Hidden channels; one model is trained for each.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder with MNIST's four IDX files, raw or .gz.  [default: MNIST_DATA_DIR, else a download]",
)
@click.option(
    "--max-parallel",
    type=click.IntRange(min=1),
    metavar="N",
    help="Models to train at the same time.  [default: one per core]",
)
@click.option(
    "--keep", is_flag=True, help="Keep the experiment, its files and the endpoint, and print how to delete them."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("mnist-demo"),
    show_default=True,
    help="Folder for the results.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation, with --backend aws.")
@pass_settings
def demo(
    settings: Settings,
    *,
    epochs: int,
    channels: tuple[int, ...],
    data_dir: Path | None,
    max_parallel: int | None,
    keep: bool,
    out: Path,
    yes: bool,
) -> None:
    """
    Train CNNs on MNIST, track and compare them, deploy the best, trace it, send it test images, and clean up.

    The report goes to standard output, progress and notes to standard error. The results are report.html, a
    page with everything that was found, leaderboard.csv, lineage.csv, accuracy.png, losses.png, confusion.png,
    digits.png and timings.json. Without data and without a network, the demo uses scikit-learn's small digits instead,
    and reports it.

    --data-dir must contain MNIST itself: its checksums are verified.

    \b
    Examples:
      mnist-tracking demo
      mnist-tracking demo --epochs 1 --channels 2,5 --data-dir ~/mnist
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    options = Options(
        epochs=epochs,
        channels=channels,
        data_dir=data_dir,
        max_parallel=max_parallel or min(available_cores(), len(channels)),
        keep=keep,
        out=out,
    )
    require_packages(["torch", "matplotlib"])
    timings = Timings(settings.begun)
    with timings.phase("import"):
        from mnist_tracking.cli.demo.workflow import Demo
    if settings.costs_money:
        from mnist_tracking.mnist.spec import mnist_job

        models = f"{len(channels)} models on AWS for at most {duration(mnist_job().max_run_s)} each"
        confirm_cost(f"This trains {models} and creates an endpoint", yes=yes)
    Demo(settings, options, timings).run()
