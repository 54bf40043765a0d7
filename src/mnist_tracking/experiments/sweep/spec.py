"""SweepSpec: what a sweep is, whichever program runs it."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Self

import attrs

from mnist_tracking._values.checks import check_count
from mnist_tracking._values.prices import Prices
from mnist_tracking._values.recordable import check_key
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec, Objective, check_objective
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.applying import INPUTS, INSTANCE_TYPE, apply_point
from mnist_tracking.experiments.sweep.checking import check_space
from mnist_tracking.experiments.sweep.rules import StopRules
from mnist_tracking.experiments.sweep.space import Point, Rule, Space
from mnist_tracking.experiments.sweep.strategies import Strategy, make_strategy, name_of
from mnist_tracking.experiments.sweep.strategies.grid import Grid
from mnist_tracking.experiments.sweep.strategies.make import HINT, AnyPruner, AnyStrategy

__all__ = ["GRID", "SweepSpec"]

GRID = "grid"
"""The strategy that trains every point of a space."""


@attrs.frozen(kw_only=True)
class SweepSpec:
    """
    What a sweep is, whichever program runs it.

    Attributes:
        space: What it searches.
        strategy: What chooses its points.
        pruner: What stops its trials; None stops none.
        objective: What makes one trial better than another.
        max_trials: The number of trials, all repeats included; None for as many as the strategy has points.
        repeats: The number of trials of each configuration.
        repeat_by: The hyperparameter in which they differ.
        seed: Makes the strategy's choices reproducible.
        warm_start: Earlier experiments whose trials the strategy takes into account.
    """

    space: Space
    strategy: AnyStrategy = GRID
    pruner: AnyPruner = None
    objective: Objective | None = None
    max_trials: int | None = None
    repeats: int = 1
    repeat_by: str = "seed"
    seed: int = 0
    warm_start: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.is_grid and self.warm_start:
            raise ConfigError("strategy='grid' does not learn from warm_start=; choose another one, such as 'tpe'.")
        check_count("repeats", self.repeats)
        check_key("hyperparameter", self.repeat_by)
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or self.seed < 0:
            raise ConfigError(f"seed={short_repr(self.seed)}; expected an integer >= 0.")
        if self.max_trials is not None:
            check_count("max_trials", self.max_trials)
            if self.max_trials < self.repeats:
                raise ConfigError(
                    f"max_trials={self.max_trials} with repeats={self.repeats} allows no configuration; expected at "
                    f"least {self.repeats} trials."
                )
        if self.repeats > 1 and self.repeat_by in self.space.dimensions:
            raise ConfigError(
                f"repeats={self.repeats} sets the hyperparameter {self.repeat_by!r}, which is also a parameter of the "
                "space. Leave it out of the space, or pass repeat_by= with another one."
            )

    @property
    def is_grid(self) -> bool:
        """Whether it trains every point of its space, so that a trial is identified by its hyperparameters."""
        return isinstance(self.strategy, str) and self.strategy == GRID

    @property
    def pruned_by(self) -> str:
        """The name of what may stop its trials; empty if nothing does."""
        if self.pruner not in (None, "none"):
            return name_of(self.pruner)
        return name_of(self.strategy) if hasattr(self.strategy, "report") else ""

    @property
    def max_configurations(self) -> int | None:
        """The number of configurations that it may train."""
        return None if self.max_trials is None else self.max_trials // self.repeats

    @property
    def size(self) -> int | None:
        """The number of its trials, before the rule of the space; None if nothing limits it."""
        points = self.space.size if self.is_grid else None
        most = [count for count in (points, self.max_configurations) if count is not None]
        return min(most) * self.repeats if most else None

    def strategy_for(self, job: JobSpec, seed: int | None = None) -> Strategy:
        """
        Return a new strategy for it, which does not know of any trial.

        Args:
            job: The job that trains its trials.
            seed: The seed of the strategy; by default its own.

        Raises:
            ConfigError: If the strategy or the pruner does not suit the space or the job.
            MissingDependencyError: If it needs a package that is not installed.
        """
        return make_strategy(
            self.strategy,
            self.pruner,
            self.space,
            self.objective,
            seed=self.seed if seed is None else seed,
            metrics=[metric.name for metric in job.metrics] or None,
        )

    def check(self, job: JobSpec, stop: StopRules, *, trial_quota: int | None) -> None:
        """
        Check it against the job that trains its trials, before anything is sent.

        Args:
            job: The job.
            stop: When it ends early.
            trial_quota: How many trials an experiment can have; None for any number.

        Raises:
            ConfigError: If the job rejects a point, or does not yield the objective, the strategy or the pruner does
                not suit the space or the job, nothing would end the sweep, or it has more trials than an experiment can
                have.
            MissingDependencyError: If the strategy or the pruner needs a package that is not installed.
        """
        if self.objective is not None:
            check_objective(self.objective, job.metrics, job.image_uri)
        self.strategy_for(job)
        if self.repeats > 1:
            self.first_seed(job)
        if not self.is_grid and self.max_trials is None and not stop.is_bounded:
            raise ConfigError(
                "The sweep would never end. Pass max_trials=, or max_time=, max_cost= or patience= of StopRules."
            )
        if self.objective is None and (rule := stop.by_objective):
            raise ConfigError(
                f"{rule}={getattr(stop, rule)} compares values of the objective, but the job has none. {HINT}"
            )
        if trial_quota is not None and (self.size or 0) > trial_quota:
            raise ConfigError(
                f"The sweep has {self.size:,} trials; an experiment can have {trial_quota}. Pass a smaller "
                "max_trials=, split the sweep, or pass trial_quota= to the workspace if AWS has raised yours."
            )
        check_space(self.space, job)

    def check_inputs(self, job: JobSpec, data_uri: str | None) -> None:
        """Check that its trials have the inputs that the job needs, some of which may vary; ConfigError otherwise."""
        varied = {name: found.ends[0] for name, found in self.space.dimensions.items() if name.startswith(INPUTS)}
        apply_point(job, varied)[0].inputs_with(data_uri)

    def most_usd(self, job: JobSpec, prices: Prices) -> float | None:
        """Return what one of its trials costs at most, in US dollars; None if a price is not known."""
        types = self.space.dimensions.get(INSTANCE_TYPE)
        jobs = [job] if types is None else [apply_point(job, {INSTANCE_TYPE: value})[0] for value in types.grid()]
        costs = [prices.cost_of(each, each.max_run_s) for each in jobs]
        known = [cost for cost in costs if cost is not None]
        return max(known) if len(known) == len(costs) else None

    def grid(self) -> Iterator[Point]:
        """Yield the points that a grid trains, in its order."""
        return islice(iter(Grid(self.space).ask, None), self.max_configurations)

    def applied(self, job: JobSpec, point: Point, repeat: int) -> tuple[JobSpec, dict[str, ParameterValue]]:
        """
        Return the job of a trial, and all of its hyperparameters.

        Raises:
            ConfigError: If the job rejects them.
        """
        changed, own = apply_point(job, point)
        if self.repeats == 1:
            return changed, changed.merged(own)
        return changed, changed.merged({**own, self.repeat_by: self.first_seed(job) + repeat})

    def first_seed(self, job: JobSpec) -> int:
        """
        Return the seed of the first repeat.

        Raises:
            ConfigError: If the job's own is not an integer.
        """
        first = job.hyperparameters.get(self.repeat_by, self.seed)
        if not isinstance(first, int) or isinstance(first, bool):
            raise ConfigError(f"{self.repeat_by!r} is {short_repr(first)}; repeats={self.repeats} needs an integer.")
        return first

    def to_json(self) -> dict[str, Any]:
        """Return what is stored of it, as JSON has it: strategies and pruners that are objects by their names."""
        definition = {
            "space": self.space.to_json(),
            "strategy": name_of(self.strategy),
            "pruner": dict(self.pruner) if isinstance(self.pruner, Mapping) else name_of(self.pruner),
            "objective": None if self.objective is None else attrs.asdict(self.objective),
            "max_trials": self.max_trials,
            "repeats": self.repeats,
            "repeat_by": self.repeat_by,
            "seed": self.seed,
            "warm_start": list(self.warm_start),
        }
        stored: dict[str, Any] = json.loads(json.dumps(definition))
        return stored

    @classmethod
    def from_json(
        cls,
        stored: Mapping[str, Any],
        *,
        strategy: "AnyStrategy | None",
        pruner: AnyPruner,
        where: Rule | None,
    ) -> Self:
        """
        Return the sweep that `to_json` stored.

        Args:
            stored: What was stored.
            strategy: The strategy, if it is an object.
            pruner: The pruner, if it is an object.
            where: The rule of the space, if it has one.
        """
        objective = stored["objective"]
        return cls(
            space=Space.from_json(stored["space"], where=where),
            strategy=stored["strategy"] if strategy is None else strategy,
            pruner=stored["pruner"] if pruner is None else pruner,
            objective=None if objective is None else Objective(**objective),
            warm_start=tuple(stored["warm_start"]),
            **{name: stored[name] for name in ("max_trials", "repeats", "repeat_by", "seed")},
        )

    def check_continues(self, name: str, stored: Mapping[str, Any]) -> None:
        """
        Check that it continues a stored sweep.

        The number of trials and *warm_start* may change. Everything but the strategy may in a grid, since its trials
        are identified by their hyperparameters.

        Raises:
            ConfigError: If anything else differs; the message names it.
        """
        ours = self.to_json()
        fixed = {"strategy"} if self.is_grid else ours.keys() - {"max_trials", "warm_start"}
        changed = [key for key, value in ours.items() if key in fixed and value != stored.get(key, value)]
        if changed:
            key = changed[0]
            raise ConfigError(
                f"The sweep {name!r} exists with another {key.replace('_', ' ')}: {short_repr(stored[key])}, and not "
                f"{short_repr(ours[key])}. Choose another name; warm_start= takes the trials of its experiment into "
                "account."
            )
