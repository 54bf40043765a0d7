"""``mnist-tracking sweep``: train every combination of some hyperparameters."""

from typing import Any

import click

from mnist_tracking._values.records import Scalar
from mnist_tracking._values.specs import Statistic
from mnist_tracking.cli.consent import ask, dry_run_option, yes_option
from mnist_tracking.cli.jobs import JobCommand, JobOptions, job_options, write_points
from mnist_tracking.cli.leaderboard import show_leaderboard
from mnist_tracking.cli.objective import objective_of, objective_options
from mnist_tracking.cli.output import Form, format_option
from mnist_tracking.cli.settings import Settings
from mnist_tracking.cli.values import GRID, pairs

__all__ = ["sweep"]


@click.command(cls=JobCommand, short_help="Train every combination of a grid, and rank the trials.")
@job_options
@click.option(
    "--grid", type=GRID, multiple=True, required=True, help="Values of a hyperparameter: --grid lr=0.1,0.01. Repeat it."
)
@click.option(
    "--max-parallel", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="Trials at once."
)
@objective_options
@dry_run_option
@yes_option
@format_option()
@click.pass_obj
def sweep(  # noqa: PLR0913 - one for each option
    settings: Settings,
    /,
    *,
    grid: tuple[tuple[str, list[Scalar]], ...],
    max_parallel: int,
    objective: str | None,
    minimize: bool,
    statistic: Statistic,
    dry_run: bool,
    yes: bool,
    form: Form,
    **job: Any,
) -> None:
    """
    Train a script, or with --mnist the CNN, once for every combination of a grid, and rank the experiment's trials.

    How the trials go is told on standard error; the leaderboard goes to standard output. Trials that fail do not stop
    the others; the exit status is then 1. Ctrl-C launches nothing more and stops the jobs; the trials stay.

    \b
    Examples:
      mnist-tracking sweep train.py -e churn --grid lr=0.1,0.01 --objective f1
      mnist-tracking sweep train.py -e churn --grid lr=0.1,0.01 --grid depth=2,4
      mnist-tracking sweep train.py -e churn --grid 'layers=["64,64", "128"]'
      mnist-tracking sweep --mnist -e digits --grid hidden_channels=2,5,10
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.cli.progress import SweepProgress
    from mnist_tracking.experiments.sweep import HyperparameterSweep
    from mnist_tracking.experiments.sweep.space import expand_grid

    options = JobOptions(**job)
    spec = options.spec(objective_of(objective, minimize, statistic))
    space = pairs(grid, "--grid")
    points = expand_grid(space)
    trials = [spec.merged(point) for point in points]
    if dry_run:
        write_points(trials, form)
        click.echo(f"Would be trained as trials of {options.experiment!r}. Nothing was sent.", err=True)
        return
    if settings.costs_money:
        ask(f"This trains {len(points)} models on AWS ({spec.instance_type}), which costs money. Go on?", yes=yes)
    progress = SweepProgress(list(space), len(points), spec.objective)
    with settings.opened(make=True) as workspace:
        try:
            runner = options.runner(workspace, spec)
            board = HyperparameterSweep(runner, space, max_parallel=max_parallel).run(observer=progress)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{progress.left()} The trials of {options.experiment} stay.") from None
        show_leaderboard(board, form)
    if progress.failed:
        click.echo(f"mnist-tracking: {progress.failed} of {len(points)} trials did not complete.", err=True)
        raise click.exceptions.Exit(1)
