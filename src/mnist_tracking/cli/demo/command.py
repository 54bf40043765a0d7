"""The command and its options."""

import os
from pathlib import Path
from typing import Any

import click

from mnist_tracking.errors import ConfigError


def _channels(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        channels = tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r}; give whole numbers with commas between them, such as 2,5,10.") from None
    if min(channels) < 1 or len(set(channels)) < len(channels):
        raise click.BadParameter(f"{value!r}; give different numbers of at least 1.")
    return channels


@click.command()
@click.option("--epochs", type=click.IntRange(min=1), default=2, show_default=True, help="How long each model trains.")
@click.option("--channels", default="2,5,10,20,32", show_default=True, callback=_channels, help="One model for each.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="MNIST's four IDX files, raw or .gz; otherwise found or fetched.",
)
@click.option("--max-parallel", type=click.IntRange(min=1), help="Models that train at once.  [default: the cores]")
@click.option("--keep", is_flag=True, help="Do not clean up at the end.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("mnist-demo"),
    show_default=True,
    help="Where the results go.",
)
@click.pass_obj
def demo(
    settings: dict[str, Any],
    *,
    epochs: int,
    channels: tuple[int, ...],
    data_dir: Path | None,
    max_parallel: int | None,
    keep: bool,
    out: Path,
) -> None:
    """
    Train CNNs on MNIST, track, compare, trace, deploy the best one and ask it, then clean up.

    Writes leaderboard.csv, lineage.csv, digits.png, accuracy.png and timings.json. Progress goes to standard error, the
    report to standard output.

    \b
    Examples:
      mnist-tracking demo
      mnist-tracking demo --epochs 1 --channels 2,5 --data-dir ~/mnist
    """
    from mnist_tracking.cli.demo.steps import Demo, Options

    options = Options(
        epochs=epochs,
        channels=channels,
        data_dir=data_dir,
        max_parallel=max_parallel or min(os.cpu_count() or 1, len(channels)),
        keep=keep,
        out=out,
    )
    _require_extras()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {str(out)!r} cannot be made: {error.strerror}.") from error
    Demo(settings, options).run()


def _require_extras() -> None:
    from importlib.util import find_spec

    from mnist_tracking.errors import MissingDependencyError

    for package in ("torch", "matplotlib"):
        if find_spec(package) is None:
            raise MissingDependencyError(package, "demo")
