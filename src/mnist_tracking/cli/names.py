"""Names of experiments and trials: completed by a shell, shortened by people, or given as ``best`` and ``latest``."""

from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import islice
from typing import Any

import attrs
import click

from mnist_tracking._values.specs import Objective, Statistic
from mnist_tracking.cli.options import Declaration, Settings, options_in
from mnist_tracking.cli.output import echo
from mnist_tracking.errors import MnistTrackingError
from mnist_tracking.workspace import Workspace

__all__ = ["Choice", "choice_options", "experiment_names", "objective_of", "objective_options", "trial_names"]

_OFFERED = 100
_OBJECTIVE: tuple[Declaration, ...] = (
    (("--objective",), {"metavar": "METRIC", "help": "Metric to rank by.  [default: that of the experiment's jobs]"}),
    (("--minimize",), {"is_flag": True, "help": "Lower is better."}),
    (
        ("--statistic",),
        {
            "metavar": "NAME",
            "default": "last",
            "show_default": True,
            "help": "Which value of the metric counts: last, max, min, avg, or a mean such as last-5-mean.",
        },
    ),
)
_EXPERIMENT: Declaration = (
    ("-e", "--experiment"),
    {"metavar": "EXPERIMENT", "help": "Look for the trial in this experiment only."},
)


def _offer(names: Callable[[Workspace], Iterable[str]], context: click.Context, typed: str) -> list[str]:
    """Return the newest names that begin as typed; none if they cannot be read: a shell has no room for errors."""
    try:
        settings = Settings.of(context)
        if not settings.exists:
            return []  # completing must not create it
        with closing(settings.workspace()) as workspace:
            found = dict.fromkeys(islice(names(workspace), _OFFERED))
            return [name for name in found if name.startswith(typed)]
    except (MnistTrackingError, click.UsageError):
        return []


def experiment_names(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Offer experiments."""
    return _offer(lambda workspace: (found.name for found in workspace.experiments()), context, typed)


def trial_names(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Offer trials."""
    return _offer(lambda workspace: (found.name for found in workspace.trials()), context, typed)


objective_options = options_in("Objective", *_OBJECTIVE)
"""Gives a command the options *objective*, *minimize* and *statistic*, for `objective_of`."""


def objective_of(objective: str | None, minimize: bool, statistic: Statistic) -> Objective | None:
    """
    Return the objective that the options name.

    Raises:
        click.UsageError: If *minimize* or *statistic* is given without a metric.
    """
    if objective is None:
        if minimize or statistic != "last":
            raise click.UsageError("--minimize and --statistic go with --objective METRIC.")
        return None
    return Objective(objective, goal="minimize" if minimize else "maximize", statistic=statistic)


_names, _more = _EXPERIMENT
choice_options = options_in("Which trial", (_names, {**_more, "shell_complete": experiment_names}), *_OBJECTIVE)
"""Gives a command the arguments of `Choice`: what *best*, *latest* and a part of a name refer to."""


@attrs.frozen(kw_only=True)
class Choice:
    """
    How to find the trial that is meant, as it was given.

    Attributes:
        experiment: The experiment to look in; None for all.
        objective: The metric that ``best`` refers to; None for that of the experiment's jobs.
        minimize: Whether lower is better.
        statistic: Which value of the metric counts.
    """

    experiment: str | None = None
    objective: str | None = None
    minimize: bool = False
    statistic: Statistic = "last"

    def find(self, workspace: Workspace, text: str) -> str:
        """Return the full name of a trial; see `Workspace.resolve_trial`. Report it unless it is what was typed."""
        chosen: Any = objective_of(self.objective, self.minimize, self.statistic)
        name = workspace.resolve_trial(text, experiment=self.experiment, objective=chosen)
        if name != text:
            echo(f"Trial {name}", err=True)
        return name
