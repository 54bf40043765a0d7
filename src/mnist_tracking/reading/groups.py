"""Groups: the configurations of a leaderboard, each with its repeats, and which of them are tied with the best."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, overload

import attrs

from mnist_tracking._values.recordable import as_text, comparable_items, differing_names
from mnist_tracking._values.records import ParameterValue, own_copy
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.tables import Kind, Table, Tabular
from mnist_tracking._values.text import html_table, number, plural, printable
from mnist_tracking.reading.scores import score
from mnist_tracking.reading.statistics import SIGNIFICANCE, deviation, holm, interval, welch
from mnist_tracking.reading.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Group", "Groups", "group_trials"]

_COLUMNS: dict[str, Kind] = {
    "experiment": "string",
    "n": "integer",
    "trials": "integer",
    "mean": "number",
    "std_dev": "number",
    "ci_low": "number",
    "ci_high": "number",
    "p_value": "number",
    "tied_with_best": "boolean",
}


@attrs.frozen
class Group:
    """
    The trials of one configuration.

    Attributes:
        experiment: Their experiment.
        hyperparameters: What they have in common, without what is repeated.
        trials: The trials, in order of the leaderboard; those that failed, diverged or were stopped included.
        values: The objective of each completed trial that has a value.
        p_value: The p-value of the difference from the mean of the best: by Welch's test, adjusted by Holm's method.
            None for the best itself, and if either has fewer than two values.
        is_tied: Whether the group is not shown to be worse than the best, which is tied with itself; None if it cannot
            be tested.
    """

    experiment: str
    hyperparameters: Mapping[str, ParameterValue] = attrs.field(converter=own_copy, hash=False)
    trials: tuple[Trial, ...]
    values: tuple[float, ...]
    p_value: float | None = None
    is_tied: bool | None = None

    @property
    def n(self) -> int:
        """The number of values."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """The mean of the values; None without any."""
        return fmean(self.values) if self.values else None

    @property
    def std_dev(self) -> float | None:
        """The sample standard deviation (n - 1); None for fewer than two values."""
        return deviation(self.values)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval of the mean, by Student's t; None for fewer than two values."""
        return interval(self.values) if self.values else None


@attrs.frozen(repr=False)
class Groups(Tabular, Sequence[Group]):
    """
    The configurations of a leaderboard, by the mean of their repeats: the best first, those without a value last.

    A configuration is what trials have in common besides the hyperparameters that are repeated, such as the seed. Only
    completed trials with a value count; compare ``n`` with ``trials``: a configuration that fails half of the time is
    not as good as its mean.

    **The interval** is the 95 % confidence interval of the mean, by Student's t-distribution, which assumes that the
    values of a configuration are roughly normal. With two values it is very wide, as it should be.

    **Tied with the best** means: not shown to be worse, at the level of 5 %. Each configuration is compared with the
    best by Welch's t-test, which allows for different variances and small, different numbers of values; the p-values
    are adjusted for the number of comparisons by Holm's method. Tests of ranks, such as Mann-Whitney's or Nemenyi's,
    cannot show a difference with so few values. With few repeats much is tied: more repeats, not a higher mean, tell
    configurations apart. **A single value** (``n = 1``) has no spread, and so no interval and no test.

    Sources: B. L. Welch, Biometrika 34 (1947); S. Holm, Scandinavian Journal of Statistics 6 (1979); C. Colas,
    O. Sigaud and P.-Y. Oudeyer, https://arxiv.org/abs/1904.06979, who compare tests for few seeds.

    Attributes:
        groups: The configurations, best first.
        objective: What they are ranked by.
        over: The hyperparameters that are repeated.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     runner = ExperimentRunner(workspace, "churn")
        ...     for strength, values in {0.1: (0.8, 0.81, 0.79), 1.0: (0.9, 0.91, 0.92)}.items():
        ...         for seed, accuracy in enumerate(values):
        ...             with runner.trial({"C": strength, "seed": seed}) as trial:
        ...                 trial.log_metric("accuracy", accuracy)
        ...     groups = Leaderboard.load(workspace, "churn", objective="accuracy").groups()
        >>> [(group.hyperparameters, round(group.mean, 3), group.n, group.is_tied) for group in groups]
        [({'C': 1.0}, 0.91, 3, True), ({'C': 0.1}, 0.8, 3, False)]
    """

    groups: tuple[Group, ...]
    objective: Objective
    over: tuple[str, ...]

    @overload
    def __getitem__(self, index: int) -> Group: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Group]: ...
    def __getitem__(self, index: int | slice) -> Group | Sequence[Group]:
        return self.groups[index]

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __repr__(self) -> str:
        return f"<Groups: {plural(len(self), 'configuration')} by {self.objective.metric}>"

    def __str__(self) -> str:
        if not self.groups:
            return repr(self)
        shown = self._shown()
        return printable(f"{self.note}\n{shown.where(shown.notna(), '').to_string(index=False)}")

    def _repr_html_(self) -> str:
        return html_table(self._shown(), title=self.note)

    @property
    def note(self) -> str:
        """What is compared, and how; or that it cannot be."""
        repeats = f" over {', '.join(self.over)}" if self.over else ""
        what = f"The mean{repeats} of {self.objective.metric!r} ({self.objective.statistic})."
        if not any(group.n > 1 for group in self.groups):
            return f"{what} No configuration has two values: without repeats, there is no spread to compare."
        return f"{what}\n95 % intervals of Student's t; tied with the best by Welch's t-test, with Holm's method."

    def dataframe(self) -> "pd.DataFrame":
        """
        Return one row per configuration, best first.

        The columns are experiment, n (the values), trials (all of them), mean, std_dev, ci_low and ci_high (the 95 %
        confidence interval), p_value, tied_with_best, and ``param.<name>``. What cannot be computed is missing.
        """
        return self._table().dataframe()

    def _table(self) -> Table:
        return groups_table(self)

    def _shown(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(shown_rows(self), dtype=object)


def groups_table(groups: Iterable[Group]) -> Table:
    """Return the table of configurations."""
    listed = list(groups)
    names = sorted({name for group in listed for name in group.hyperparameters})
    return Table({**_COLUMNS, **{f"param.{name}": "value" for name in names}}, list(map(_row, listed)))


def shown_rows(groups: Sequence[Group]) -> list[dict[str, object]]:
    """Return what fits a screen of each configuration: the hyperparameters that differ, and what was computed."""
    names = differing_names(group.hyperparameters for group in groups)
    several = len({group.experiment for group in groups}) > 1
    return [
        {
            **({"experiment": group.experiment} if several else {}),
            **{name: _parameter(group, name) for name in names},
            **_brief(group),
        }
        for group in groups
    ]


def _parameter(group: Group, name: str) -> str | None:
    given = group.hyperparameters
    return as_text(given[name]) if name in given else None


def _brief(group: Group) -> dict[str, object]:
    between = group.interval
    return {
        "n": f"{group.n} of {len(group.trials)}" if group.n < len(group.trials) else group.n,
        "mean": None if group.mean is None else number(group.mean),
        "std_dev": None if group.std_dev is None else number(group.std_dev),
        "95 % interval": between and f"{number(between[0])} to {number(between[1])}",
        "tied": {True: "yes", False: "no", None: "unknown"}[group.is_tied] if group.values else "",
    }


def _row(group: Group) -> dict[str, object]:
    low, high = group.interval or (None, None)
    return {
        "experiment": group.experiment,
        "n": group.n,
        "trials": len(group.trials),
        "mean": group.mean,
        "std_dev": group.std_dev,
        "ci_low": low,
        "ci_high": high,
        "p_value": group.p_value,
        "tied_with_best": group.is_tied,
        **{f"param.{name}": value for name, value in group.hyperparameters.items()},
    }


def group_trials(trials: Iterable[Trial], objective: Objective, over: Sequence[str]) -> Groups:
    """Return the configurations of ranked trials, which are repeated over some hyperparameters."""
    found: dict[object, list[Trial]] = {}
    for trial in trials:
        configuration = _configuration(trial, over)
        key = (trial.experiment, comparable_items(configuration))
        found.setdefault(key, []).append(trial)
    groups = [
        Group(members[0].experiment, _configuration(members[0], over), tuple(members), _values(members, objective))
        for members in found.values()
    ]
    sign = -1.0 if objective.goal == "maximize" else 1.0
    groups.sort(key=lambda group: (not group.values, sign * (group.mean or 0.0)))
    return Groups(tuple(_compared(groups)), objective, tuple(over))


def _configuration(trial: Trial, over: Sequence[str]) -> dict[str, ParameterValue]:
    return {name: value for name, value in trial.configuration.items() if name not in over}


def _values(trials: Iterable[Trial], objective: Objective) -> tuple[float, ...]:
    scores = (score(trial, objective) for trial in trials if trial.status == "Completed")
    return tuple(value for value in scores if value is not None)


def _compared(groups: Sequence[Group]) -> Iterator[Group]:
    """Yield groups, best first, with the result of comparing each with the first one."""
    if not groups or not groups[0].values:
        yield from groups
        return
    best = groups[0]
    tested = [group for group in groups[1:] if min(group.n, best.n) > 1]
    p_values = dict(zip(map(id, tested), holm([welch(best.values, group.values) for group in tested]), strict=True))
    yield attrs.evolve(best, is_tied=True)
    for group in groups[1:]:
        p_value = p_values.get(id(group))
        yield attrs.evolve(group, p_value=p_value, is_tied=None if p_value is None else p_value > SIGNIFICANCE)
