"""The command and its options."""

from pathlib import Path

import click

from mnist_tracking.cli.demo.options import Options, available_cores, parse_channels, require_packages
from mnist_tracking.cli.demo.timings import Timings
from mnist_tracking.cli.settings import Settings

__all__ = ["demo"]


def _channels(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return parse_channels(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(short_help="Go through the whole workflow on MNIST.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    default=2,
    show_default=True,
    help="How long each model trains.",
)
@click.option(
    "--channels",
    metavar="N,N,...",
    default="2,5,10,20,32",
    show_default=True,
    callback=_channels,
    help="Hidden channels, one model for each.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="MNIST's four IDX files, raw or .gz, held to MNIST's checksums.  [default: MNIST_DATA_DIR, else a download]",
)
@click.option(
    "--max-parallel",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many models train at once.  [default: the cores, at most one for each model]",
)
@click.option("--keep", is_flag=True, help="Leave the experiment, its files and the endpoint there; say how to clean.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("mnist-demo"),
    show_default=True,
    help="Where the results go.",
)
@click.option("--yes", is_flag=True, help="With --backend aws, which costs money: do not ask.")
@click.pass_obj
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
    Train CNNs on MNIST, track, compare, trace, deploy the best one and ask it, then clean up.

    The report goes to standard output; the trials' progress and notes go to standard error. Writes leaderboard.csv,
    lineage.csv, accuracy.png, digits.png and timings.json. Without data and without a network it takes the small digits
    that scikit-learn ships, and says so.

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
        from mnist_tracking.cli.demo.steps import Demo
    if settings.backend == "aws" and not yes:
        question = f"This trains {len(channels)} models and starts an endpoint on AWS, which costs money. Go on?"
        if not click.confirm(question, err=True):
            raise click.exceptions.Exit(1)
    Demo(settings, options, timings).run()
