"""``mnist-tracking report``: an experiment as one HTML page."""

from pathlib import Path

import click

from mnist_tracking._values.specs import Statistic
from mnist_tracking.cli.names import experiment_names, objective_of, objective_options
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import count_on_terminal, echo

__all__ = ["report"]


@command(short_help="Write the trials of experiments as an HTML page.")
@click.argument("experiments", nargs=-1, required=True, metavar="EXPERIMENT...", shell_complete=experiment_names)
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="File to write; replaced if it exists.",
)
@click.option(
    "--curves",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    metavar="N",
    help="Number of trials whose logs are read, the best first.",
)
@objective_options
@pass_settings
def report(
    settings: Settings,
    /,
    *,
    experiments: tuple[str, ...],
    path: Path,
    curves: int,
    objective: str | None,
    minimize: bool,
    statistic: Statistic,
) -> None:
    """
    Write the trials of one or several experiments as one HTML page that needs no network.

    The page shows the leaderboard, the hyperparameters against the objective, learning curves, the best trial with its
    pictures and its lineage, failures, what ran, time and cost. The command prints the path of the file.

    \b
    Examples:
      mnist-tracking report mnist-digits
      mnist-tracking report churn --to churn.html --objective loss --minimize
      mnist-tracking report churn-1 churn-2 --curves 20
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    chosen = objective_of(objective, minimize, statistic)
    with settings.opened() as workspace:
        progress = count_on_terminal("trials")
        echo(str(workspace.report(experiments, path, objective=chosen, curves=curves, on_progress=progress)))
