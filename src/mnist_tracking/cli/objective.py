"""What the best trial is the best at, as options."""

from collections.abc import Callable
from typing import Any, get_args

import click

from mnist_tracking._values.specs import Objective, Statistic

__all__ = ["objective_of", "objective_options"]


def objective_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options *objective*, *minimize* and *statistic*, for `objective_of`."""
    for option in (
        click.option(
            "--statistic",
            type=click.Choice(get_args(Statistic)),
            default="last",
            show_default=True,
            help="Which of the metric's values counts.",
        ),
        click.option("--minimize", is_flag=True, help="The smaller, the better."),
        click.option("--objective", metavar="METRIC", help="What the best trial is the best at."),
    ):
        function = option(function)
    return function


def objective_of(objective: str | None, minimize: bool, statistic: Statistic) -> Objective | None:
    """
    Return the objective that the options name.

    Raises:
        click.UsageError: If there are options of an objective, and none is named.
    """
    if objective is None:
        if minimize or statistic != "last":
            raise click.UsageError("--minimize and --statistic go with --objective METRIC.")
        return None
    return Objective(objective, goal="minimize" if minimize else "maximize", statistic=statistic)
