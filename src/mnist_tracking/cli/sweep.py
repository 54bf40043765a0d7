"""``mnist-tracking sweep``: train every combination of some hyperparameters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mnist_tracking._values.names import check_name
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import Statistic
from mnist_tracking._values.text import duration
from mnist_tracking.cli.confirm import confirm_cost, dry_run_option, yes_option
from mnist_tracking.cli.job_options import JobCommand, JobOptions, job_options, write_points
from mnist_tracking.cli.leaderboard import write_leaderboard
from mnist_tracking.cli.names import objective_of, objective_options
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import Form, echo, format_option
from mnist_tracking.cli.values import GRID, pairs

if TYPE_CHECKING:
    from mnist_tracking.reading.trial import Trial

__all__ = ["sweep"]


@command(cls=JobCommand, short_help="Train every combination of a grid, and rank the trials.")
@job_options
@click.option(
    "--grid",
    type=GRID,
    multiple=True,
    required=True,
    help="Values of a hyperparameter: --grid lr=0.1,0.01. May be repeated.",
)
@click.option(
    "--max-parallel",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Number of trials to train at the same time.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the sweep. Programs that run a sweep of the same name train each point only once between them.",
)
@click.option("--resume", is_flag=True, help="Train only the points that have not been trained successfully before.")
@objective_options
@dry_run_option
@yes_option
@format_option()
@pass_settings
def sweep(  # noqa: PLR0913 - one for each option
    settings: Settings,
    /,
    *,
    grid: tuple[tuple[str, list[ParameterValue]], ...],
    max_parallel: int,
    name: str | None,
    resume: bool,
    objective: str | None,
    minimize: bool,
    statistic: Statistic,
    dry_run: bool,
    yes: bool,
    form: Form,
    **job: Any,
) -> None:
    """
    Train a script, or with --mnist the built-in CNN, once for every combination of a grid, and rank all trials.

    Progress goes to standard error, the leaderboard to standard output. A failed trial does not stop the others; the
    exit status is then 1. Ctrl-C stops the running jobs, and no more trials start; the trials stay.

    \b
    Examples:
      mnist-tracking sweep train.py -e churn --grid lr=0.1,0.01 --objective f1
      mnist-tracking sweep train.py -e churn --grid lr=0.1,0.01 --grid depth=2,4
      mnist-tracking sweep train.py -e churn --grid 'layers=["64,64", "128"]'
      mnist-tracking sweep train.py -e churn --grid lr=0.1,0.01 --name night
      mnist-tracking sweep --mnist -e digits --grid hidden_channels=2,5,10
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.experiments.sweep import HyperparameterSweep
    from mnist_tracking.experiments.sweep.checking import expand_grid
    from mnist_tracking.experiments.sweep.space import Space

    options = JobOptions(**job)
    spec = options.spec(objective_of(objective, minimize, statistic))
    space = Space.of(pairs(grid, "--grid"))
    points = expand_grid(space, spec)
    if name is not None:
        check_name("sweep", name)
    if dry_run:
        write_points([spec.merged(point) for point in points], form)
        echo(f"Would be trained as trials of {options.experiment!r}. Nothing was sent.", err=True)
        return
    if settings.costs_money:
        each = f"for at most {duration(spec.max_run_s)} each"
        confirm_cost(f"This trains {len(points)} models on AWS ({spec.instance_type}) {each}", yes=yes)
    tally = _Tally()
    with settings.opened(create=True) as workspace:
        try:
            runner = options.runner(workspace, spec)
            search = HyperparameterSweep(runner, space, max_parallel=max_parallel, name=name)
            board = search.run(observer=tally, progress=True, resume=resume)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{tally.left()} The trials of {options.experiment} stay.") from None
        write_leaderboard(board, form)
    if tally.failed:
        echo(f"mnist-tracking: {tally.failed} of {len(points)} trials did not complete.", err=True)
        raise click.exceptions.Exit(1)


class _Tally:
    """A `TrialObserver` that counts how trials ended."""

    def __init__(self) -> None:
        self._started: set[str] = set()
        self._ended: dict[str, bool] = {}

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, ParameterValue]) -> None:
        del job_name, hyperparameters
        self._started.add(trial_name)

    def logged(self, trial_name: str, line: str) -> None: ...

    def ended(self, trial: "Trial") -> None:
        self._ended[trial.name] = trial.status == "Completed"

    @property
    def failed(self) -> int:
        """How many trials did not complete."""
        return list(self._ended.values()).count(False)

    def left(self) -> str:
        """Describe what is left after an interrupt."""
        running = sorted(self._started.difference(self._ended))
        return f"Stopping: {', '.join(running)}." if running else "No job is running."
