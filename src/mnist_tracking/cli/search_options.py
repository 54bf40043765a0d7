"""Options of ``sweep`` that describe the search: its space, strategy, budget and end."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec, Objective
from mnist_tracking.cli.job_options import JobOptions
from mnist_tracking.cli.options import options_in
from mnist_tracking.cli.values import DURATION, GRID, RANGE, pairs, parse_scalar
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mnist_tracking.experiments.sweep import HyperparameterSweep
    from mnist_tracking.experiments.sweep.recipe import Recipe
    from mnist_tracking.experiments.sweep.rules import StopRules
    from mnist_tracking.experiments.sweep.space import Space
    from mnist_tracking.experiments.sweep.spec import SweepSpec
    from mnist_tracking.workspace import Workspace

__all__ = ["SearchOptions", "read_recipe", "search_options"]

_STRATEGIES = ("grid", "random", "qmc", "tpe", "gp", "cmaes")
_PRUNERS = ("median", "asha", "hyperband", "patience", "none")
_COUNT = {"type": click.IntRange(min=1), "metavar": "N"}
_SWEEP_FILES = (".yaml", ".yml", ".json")

_SPACE = options_in(
    "Space",
    (
        ("--grid",),
        {"type": GRID, "multiple": True, "help": "Values of a parameter: --grid lr=0.1,0.01. May be repeated."},
    ),
    (
        ("--range", "ranges"),
        {
            "type": RANGE,
            "metavar": "NAME=LOW..HIGH[:log]",
            "multiple": True,
            "help": "Range of a parameter: --range lr=1e-4..1e-1:log, --range depth=2..8, or in steps of 2, "
            "--range depth=2..8:2. May be repeated.",
        },
    ),
    (
        ("--points-from",),
        {
            "type": click.Path(exists=True, dir_okay=False),
            "metavar": "FILE",
            "help": "File with the points instead: CSV with a column for each parameter, or a JSON list of objects.",
        },
    ),
)
_SEARCH = options_in(
    "Search",
    (
        ("--strategy",),
        {
            "type": click.Choice(_STRATEGIES),
            "help": "What chooses the points. All but grid need Optuna.  [default: grid]",
        },
    ),
    (
        ("--pruner",),
        {"type": click.Choice(_PRUNERS), "help": "What stops trials that are not promising.  [default: none]"},
    ),
    (("--max-trials",), {**_COUNT, "help": "Number of trials, all repeats included."}),
    (("--max-parallel",), {**_COUNT, "help": "Number of trials to train at the same time.  [default: 1]"}),
    (("--repeats",), {**_COUNT, "help": "Number of trials of each configuration, with different seeds.  [default: 1]"}),
    (
        ("--retries",),
        {
            "type": click.IntRange(min=0),
            "metavar": "N",
            "help": "How often to retry a trial whose job failed for lack of instances or because of an error of "
            "SageMaker; never one whose script failed.  [default: 2]",
        },
    ),
    (
        ("--name",),
        {
            "metavar": "NAME",
            "help": "Name of the sweep. Programs that run a sweep of the same name train each trial only once between "
            "them.",
        },
    ),
    (
        ("--seed",),
        {"type": click.IntRange(min=0), "metavar": "N", "help": "Seed of the strategy.  [default: 0]"},
    ),
    (
        ("--warm-start",),
        {
            "multiple": True,
            "metavar": "EXPERIMENT",
            "help": "Earlier experiment whose trials the strategy takes into account. May be repeated.",
        },
    ),
)
_STOP = options_in(
    "Stop the sweep",
    (("--max-time",), {"type": DURATION, "help": "After this time, such as 8h."}),
    (("--max-cost",), {"type": float, "metavar": "USD", "help": "When another trial might exceed this cost."}),
    (("--target",), {"type": float, "metavar": "VALUE", "help": "When a trial reaches this value of the objective."}),
    (("--patience",), {**_COUNT, "help": "After N trials in a row without a new best."}),
    (("--failures",), {**_COUNT, "help": "After N failed trials."}),
)


def search_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of `SearchOptions`."""
    decorated: Callable[..., Any] = _SPACE(_SEARCH(_STOP(function)))
    return decorated


@attrs.frozen(kw_only=True)
class SearchOptions:
    """
    The options of a search, as they were given: None, or nothing, for those that were not.

    Attributes:
        recipe: The sweep file, which the options override.
        grid: Values by parameter.
        ranges: Ranges by parameter.
        points_from: A file with points.
        max_time: In seconds.
    """

    recipe: "Recipe | None"
    name: str | None
    grid: tuple[tuple[str, list[ParameterValue]], ...]
    ranges: tuple[tuple[str, Any], ...]
    points_from: str | None
    strategy: str | None
    pruner: str | None
    max_trials: int | None
    max_parallel: int | None
    repeats: int | None
    retries: int | None
    seed: int | None
    warm_start: tuple[str, ...]
    max_time: int | None
    max_cost: float | None
    target: float | None
    patience: int | None
    failures: int | None

    def completed(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the options of a job, completed by the sweep file.

        Raises:
            click.UsageError: If neither names the script.
        """
        recipe = self.recipe
        if recipe is None:
            return dict(job)
        if recipe.program is None and not job["mnist"]:
            raise click.UsageError(f"{job['entry_point']!r} has no program. Add one, or pass --mnist.")
        metrics = () if recipe.metric is None or job["mnist"] else (recipe.metric.as_option(),)
        return {
            **job,
            "entry_point": recipe.program,
            "experiment": job["experiment"] or recipe.experiment,
            "arguments": job["arguments"] or recipe.arguments or (),
            "metrics": job["metrics"] or metrics,
        }

    def applied(self, job: JobSpec, objective: Objective | None) -> JobSpec:
        """
        Return a job with the objective of the options, or else of the sweep file.

        Raises:
            ConfigError: If the job is not that of the file, or does not yield the objective.
        """
        if self.recipe is None:
            return job
        self.recipe.check_job(job)
        return attrs.evolve(job, objective=objective or self.recipe.objective(job))

    @property
    def has_space(self) -> bool:
        """Whether the options or a sweep file describe a space."""
        return bool(self.grid or self.ranges or self.points_from or self.recipe)

    def space(self) -> "Space":
        """
        Return the space.

        Raises:
            click.UsageError: If no space is given, or more than one.
            ConfigError: If it is wrong.
        """
        from mnist_tracking.experiments.sweep.space import Space

        given = pairs((*self.grid, *self.ranges), "--grid, --range")
        if [bool(given), self.points_from is not None, self.recipe is not None].count(True) != 1:
            raise click.UsageError("Pass either --grid and --range, or --points-from, or a sweep file.")
        if self.recipe is not None:
            return self.recipe.space
        return Space.of(given if self.points_from is None else _read_points(self.points_from))

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of `HyperparameterSweep`, those that are given."""
        return {**(self.recipe.options if self.recipe else {}), **self._given(_KEYWORDS)}

    def spec(self, job: JobSpec) -> "SweepSpec":
        """
        Return what the sweep is, to be checked before anything is sent.

        Raises:
            ConfigError: If something is not allowed.
        """
        from mnist_tracking.experiments.sweep.spec import SweepSpec

        known = {field.name for field in attrs.fields(SweepSpec)}
        keywords = {name: value for name, value in self.keywords().items() if name in known}
        return SweepSpec(space=self.space(), objective=job.objective, **keywords)

    def sweep(self, workspace: "Workspace", options: JobOptions, job: JobSpec) -> "HyperparameterSweep":
        """Return the sweep; without a space, the one of that name that is recorded in the experiment."""
        from mnist_tracking.experiments.sweep import HyperparameterSweep

        if self.has_space:
            runner = options.runner(workspace, job)
            return HyperparameterSweep(runner, self.space(), **self.keywords(), stop=self.stop())
        changes = self._given(("max_trials", "max_parallel", "retries"))
        return HyperparameterSweep.load(
            workspace, options.experiment, str(self.name), job=job, **changes, stop=self.stop()
        )

    def stop(self) -> "StopRules":
        """Return when the sweep ends early."""
        from mnist_tracking.experiments.sweep.rules import StopRules

        return attrs.evolve(self.recipe.stop if self.recipe else StopRules(), **self._given(_RULES))

    def _given(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) not in (None, ())}


_KEYWORDS = ("strategy", "pruner", "max_trials", "max_parallel", "repeats", "retries", "seed", "warm_start", "name")
_RULES = ("max_time", "max_cost", "target", "patience", "failures")


def read_recipe(entry_point: str | None) -> "Recipe | None":
    """Read the sweep file that is given in place of a script; None for a script."""
    from mnist_tracking.experiments.sweep.recipe import Recipe

    is_file = entry_point is not None and entry_point.endswith(_SWEEP_FILES)
    return Recipe.read(entry_point) if entry_point is not None and is_file else None


def _read_points(path: str) -> Sequence[Mapping[str, ParameterValue]]:
    """Return the points in a file; an empty cell of a CSV file leaves its parameter out."""
    try:
        text = Path(path).read_text("utf-8")
        if not path.endswith(".csv"):
            points = json.loads(text)
            if not isinstance(points, list):
                raise ValueError("expected a list of objects")
            return points
    except ValueError as error:
        raise ConfigError(f"The points in {path!r} cannot be read: {error}.") from None
    rows = csv.DictReader(io.StringIO(text))
    return [{name: parse_scalar(value) for name, value in row.items() if value} for row in rows]
