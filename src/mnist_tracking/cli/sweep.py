"""``mnist-tracking sweep``: search hyperparameters, and rank the trials."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import click

from mnist_tracking._values.prices import Prices, default_prices
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec, Statistic
from mnist_tracking._values.text import duration, plural
from mnist_tracking.cli.confirm import confirm_cost, dry_run_option, yes_option
from mnist_tracking.cli.job_options import JobCommand, JobOptions, job_options, write_points
from mnist_tracking.cli.leaderboard import write_leaderboard
from mnist_tracking.cli.names import objective_of, objective_options
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import Form, Page, echo, format_option, write_csv, write_json
from mnist_tracking.cli.search_options import SearchOptions, read_recipe, search_options

if TYPE_CHECKING:
    from mnist_tracking.experiments.progress import Showing
    from mnist_tracking.experiments.sweep.spec import SweepSpec
    from mnist_tracking.reading.trial import Trial

__all__ = ["sweep"]

_PROGRESS: Mapping[str, "Showing"] = {"table": True, "plain": "plain", "none": False}


@command(cls=JobCommand, short_help="Search hyperparameters, and rank the trials.")
@job_options
@search_options
@click.option("--resume", is_flag=True, help="Continue: train what is left, and again what failed or was stopped.")
@click.option(
    "--progress",
    type=click.Choice(("table", "plain", "none")),
    default="table",
    show_default=True,
    help="How to show the progress: a table where it can be redrawn, plain lines everywhere, or not at all.",
)
@objective_options
@dry_run_option
@yes_option
@format_option()
@pass_settings
def sweep(  # noqa: PLR0913 - one for each option
    settings: Settings,
    /,
    *,
    resume: bool,
    progress: str,
    objective: str | None,
    minimize: bool,
    statistic: Statistic,
    dry_run: bool,
    yes: bool,
    form: Form,
    **more: Any,
) -> None:
    """
    Train a script, or with --mnist the built-in CNN, once for each point of a search space, and rank all trials.

    The space is given by --grid and --range, by --points-from, or by a sweep file: pass it in place of the script. Its
    shape is that of Weights & Biases' sweep configuration. Options override the file.

    Progress goes to standard error, the leaderboard to standard output. A failed trial does not stop the others; the
    exit status is then 1. On Ctrl-C, the running jobs are stopped, and no more trials start; the trials are kept. With
    --name and --resume, the space may be left out: it is recorded in the experiment.

    \b
    Examples:
      mnist-tracking sweep train.py -e churn --grid lr=0.1,0.01 --objective f1
      mnist-tracking sweep train.py -e churn --grid lr=0.1,0.01 --range depth=2..8
      mnist-tracking sweep train.py -e churn --grid 'layers=["64,64", "128"]'
      mnist-tracking sweep train.py -e churn --name night --resume
      mnist-tracking sweep sweep.yaml --strategy tpe --max-trials 50 --dry-run
      mnist-tracking sweep --mnist -e digits training/sweep-random.yaml
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    given = {field.name: more.pop(field.name) for field in attrs.fields(SearchOptions) if field.name != "recipe"}
    search = SearchOptions(recipe=read_recipe(more["entry_point"]), **given)
    options, chosen = JobOptions(**search.completed(more)), objective_of(objective, minimize, statistic)
    job = search.applied(options.spec(chosen), chosen)
    if search.has_space or not (resume and search.name):
        spec = search.spec(job)
        spec.check(job, search.stop(), trial_quota=settings.trial_quota)
        if dry_run:
            _write_plan(spec, job, form)
            echo(f"{_plan(spec, options.experiment)}. Nothing was sent.", err=True)
            return
        action, most = f"This trains {_count(spec, 'model')}", _most(spec, job, settings)
    else:
        if dry_run:
            raise click.UsageError("--dry-run needs the space of the sweep.")
        action, most = f"This trains what is left of the sweep {search.name!r}", ""
    if settings.costs_money:
        limit = f"on AWS ({job.instance_type}) for at most {duration(job.max_run_s)} each"
        confirm_cost(f"{action} {limit}", most=most, yes=yes)
    tally = _Tally()
    with settings.opened(create=True) as workspace:
        found = search.sweep(workspace, options, job)
        try:
            board = found.run(observer=tally, progress=_PROGRESS[progress], resume=resume)
        except KeyboardInterrupt as interrupt:
            told = [tally.left(), *getattr(interrupt, "__notes__", ()), f"The trials of {options.experiment} stay."]
            told.append(f"The options --name {found.name} --resume continue the sweep.")
            raise KeyboardInterrupt(" ".join(told)) from None
        write_leaderboard(board, form)
    if found.stopped_by:
        echo(f"The sweep ended early ({found.stopped_by}).", err=True)
    if tally.failed:
        echo(f"mnist-tracking: {tally.failed} of {plural(tally.ended_trials, 'trial')} did not complete.", err=True)
        raise click.exceptions.Exit(1)


def _write_plan(spec: "SweepSpec", job: JobSpec, form: Form) -> None:
    """Write the points that a grid would train, or the space that another strategy would search."""
    if spec.is_grid:
        write_points([{**job.hyperparameters, **point} for point in spec.grid()], form)
        return
    found = spec.space.describe()
    match form:
        case "json":
            write_json(spec.to_json()["space"])
        case "csv":
            write_csv({"parameter": name, "values": values} for name, values in found.items())
        case "table":
            Page().table([{"parameter": name, "values": values} for name, values in found.items()])


def _plan(spec: "SweepSpec", experiment: str) -> str:
    repeats = "" if spec.repeats == 1 else f", {spec.repeats} of each configuration"
    chosen = "" if spec.is_grid else f", chosen by {spec.strategy}"
    pruned = f", stopped early by {spec.pruned_by}" if spec.pruned_by else ""
    return f"Would train {_count(spec, 'trial')} of {experiment!r}{repeats}{chosen}{pruned}"


def _count(spec: "SweepSpec", kind: str) -> str:
    """Return how many trials there may be."""
    if spec.size is None:
        return f"{kind}s until the sweep is stopped"
    is_exact = spec.is_grid and spec.space.where is None
    return plural(spec.size, kind) if is_exact else f"up to {plural(spec.size, kind)}"


def _most(spec: "SweepSpec", job: JobSpec, settings: Settings) -> str:
    """Return what a sweep costs at most; empty if that is not known."""
    prices = Prices.of(settings.applied.get("prices") or default_prices())
    each = spec.most_usd(job, prices)
    if each is None or spec.size is None:
        return ""
    return f"{each * spec.size:,.2f} USD at the prices of {prices.region}, {prices.date}"


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
        self._ended[trial.name] = trial.status == "Completed" or trial.is_pruned

    @property
    def ended_trials(self) -> int:
        """How many trials have ended."""
        return len(self._ended)

    @property
    def failed(self) -> int:
        """How many trials did not complete, other than by a pruner."""
        return list(self._ended.values()).count(False)

    def left(self) -> str:
        """Describe what is left after an interrupt, when the jobs of this program have been stopped."""
        running = sorted(self._started.difference(self._ended))
        return f"Still running: {', '.join(running)}." if running else "No job is running."
