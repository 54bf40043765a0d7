"""Which trials or experiments are wanted, as options."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, get_args

import attrs
import click
from click.shell_completion import CompletionItem

from mnist_tracking._values.records import Status
from mnist_tracking._values.where import Condition, Filter, created, status
from mnist_tracking.cli.conditions import METRIC, PARAMETER, TAG
from mnist_tracking.cli.values import MOMENT

__all__ = ["Narrowing", "narrowing_options", "time_options"]

_STATUSES = get_args(Status)


class _StatusType(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """A status; case does not matter."""

    name = "STATUS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known: dict[str, str] = {status.lower(): status for status in _STATUSES}
        if str(value).lower() not in known:
            self.fail(f"{value!r} is no status. Possible: {', '.join(_STATUSES)}.", param, ctx)
        return known[str(value).lower()]

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        typed = incomplete.lower()
        return [CompletionItem(known) for known in _STATUSES if known.lower().startswith(typed)]


_TIMES = (
    click.option(
        "--created-after", type=MOMENT, help="A date, a date with a time, or how long ago: 2026-11-24, 12h, 7d."
    ),
    click.option("--created-before", type=MOMENT, help="The same."),
)
_CONDITIONS = (
    click.option(
        "--metric",
        "metrics",
        type=METRIC,
        multiple=True,
        help="'test:accuracy>0.97', 'train:loss.min<0.1'; the last value, unless a statistic is named.",
    ),
    click.option(
        "--param", "parameters", type=PARAMETER, multiple=True, help="'optimizer=sgd', 'lr<=0.1', 'note~first'."
    ),
    click.option("--tag", "tags", type=TAG, multiple=True, help="'team=cv', or a key alone."),
    click.option(
        "--status",
        "statuses",
        type=_StatusType(),
        multiple=True,
        help=f"{', '.join(_STATUSES)}; repeated, any of these.",
    ),
)


def time_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options *created_after* and *created_before*."""
    for option in reversed(_TIMES):
        function = option(function)
    return function


def narrowing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments of `Narrowing`."""
    function = time_options(function)
    for option in reversed(_CONDITIONS):
        function = option(function)
    return function


@attrs.frozen(kw_only=True)
class Narrowing:
    """
    What trials must satisfy, as it was given.

    Attributes:
        metrics: Conditions on metrics, all of which must hold; the same for the next two.
        parameters: Conditions on hyperparameters.
        tags: Conditions on tags.
        statuses: One of these.
        created_after: The time after which they were made.
        created_before: The time before which they were made.
    """

    metrics: tuple[Filter, ...]
    parameters: tuple[Filter, ...]
    tags: tuple[Filter, ...]
    statuses: tuple[str, ...]
    created_after: datetime | None
    created_before: datetime | None

    def metric_names(self) -> set[str]:
        """Return the metrics that conditions are about."""
        names = (item.name for item in self.metrics if isinstance(item, Condition))
        return {name.removeprefix("Metrics.").rpartition(".")[0] for name in names}

    def filters(self) -> list[Filter]:
        """Return it as filters, all of which must hold."""
        where = [*self.metrics, *self.parameters, *self.tags]
        if self.statuses:
            where.append(status().isin(self.statuses))
        if self.created_after is not None:
            where.append(created() > self.created_after)
        if self.created_before is not None:
            where.append(created() < self.created_before)
        return where
