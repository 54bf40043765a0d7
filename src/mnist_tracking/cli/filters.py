"""Filters as options: conditions such as ``'test:accuracy>97'``, statuses and times."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, get_args

import attrs
import click
from click.shell_completion import CompletionItem

from mnist_tracking._values import where
from mnist_tracking._values.records import Status
from mnist_tracking._values.where import Condition, Filter, Junction, Property
from mnist_tracking.cli.options import Declaration, options_in
from mnist_tracking.cli.values import MOMENT, parse_scalar
from mnist_tracking.errors import ConfigError

__all__ = ["Filters", "filter_options", "time_options"]

_STATUSES = get_args(Status)
_TYPED = re.compile(r"(?P<name>[^=!<>~]+?)\s*(?:(?P<how>==?|!=|>=|<=|>|<|~)\s*(?P<value>.*))?", re.DOTALL)
_STATISTIC = re.compile(r"(?P<name>.+)\.(?P<statistic>last|max|min|avg|count|std_dev)")
_COMPARE: dict[str, Callable[[Property, Any], Filter]] = {
    "=": lambda item, value: item == value,
    "==": lambda item, value: item == value,
    "!=": lambda item, value: item != value,
    ">": lambda item, value: item > value,
    ">=": lambda item, value: item >= value,
    "<": lambda item, value: item < value,
    "<=": lambda item, value: item <= value,
    "~": lambda item, value: item.contains(str(value)),
}


class _ConditionType(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """
    A property, a comparison and a value; a name alone matches whatever has the property.

    Args:
        make: Makes the property from its name.
        read: Makes the value from its text.
        example: For error messages.
    """

    name = "CONDITION"

    def __init__(self, make: Callable[[str], Property], read: Callable[[str], Any], example: str) -> None:
        self._make = make
        self._read = read
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Filter:
        if isinstance(value, Filter):
            return value
        typed = _TYPED.fullmatch(str(value).strip())
        if typed is None:
            self.fail(
                f"{value!r}; expected a name, one of =, !=, <, <=, >, >=, ~ (contains), and a value, such as "
                f"{self._example!r}, or a name alone.",
                param,
                ctx,
            )
        try:
            item = self._make(typed["name"].strip())
            if typed["how"] is None:
                return item.exists()
            return _COMPARE[typed["how"]](item, self._read(typed["value"].strip()))
        except ConfigError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


def _metric(name: str) -> Property:
    """Return a metric; ``loss.min`` is the smallest value of ``loss``."""
    found = _STATISTIC.fullmatch(name)
    return where.metric(found["name"], found["statistic"]) if found else where.metric(name)


class _StatusType(click.ParamType):  # type: ignore[type-arg]
    """A status, in upper or lower case."""

    name = "STATUS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known: dict[str, str] = {status.lower(): status for status in _STATUSES}
        if str(value).lower() not in known:
            self.fail(f"{value!r} is not a status; expected one of {', '.join(_STATUSES)}.", param, ctx)
        return known[str(value).lower()]

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        typed = incomplete.lower()
        return [CompletionItem(known) for known in _STATUSES if known.lower().startswith(typed)]


_METRIC = _ConditionType(_metric, parse_scalar, "test:accuracy>97")
_PARAMETER = _ConditionType(where.param, parse_scalar, "optimizer=sgd")
_TAG = _ConditionType(where.tag, str, "team=cv")
_TIMES: tuple[Declaration, ...] = (
    (("--created-after",), {"type": MOMENT, "help": "A date, a date and time, or an age: 2026-11-24, 12h, 7d."}),
    (("--created-before",), {"type": MOMENT, "help": "The same formats."}),
)
_CONDITIONS: tuple[Declaration, ...] = (
    (
        ("--metric", "metrics"),
        {
            "type": _METRIC,
            "multiple": True,
            "help": "'test:accuracy>97', 'train:loss.min<0.1'; the last value unless a statistic follows the name.",
        },
    ),
    (
        ("--param", "parameters"),
        {"type": _PARAMETER, "multiple": True, "help": "'optimizer=sgd', 'lr<=0.1', 'note~first'."},
    ),
    (("--tag", "tags"), {"type": _TAG, "multiple": True, "help": "'team=cv', or a key alone."}),
    (
        ("--status", "statuses"),
        {
            "type": _StatusType(),
            "multiple": True,
            "help": f"{', '.join(_STATUSES)}; if repeated, any of these.",
        },
    ),
)
time_options = options_in("Filters", *_TIMES)
"""Gives a command the options *created_after* and *created_before*."""
filter_options = options_in("Filters", *_CONDITIONS, *_TIMES)
"""Gives a command the arguments of `Filters`."""


@attrs.frozen(kw_only=True)
class Filters:
    """
    What trials must satisfy, as it was given.

    Attributes:
        metrics: Conditions on metrics, all of which must hold; the same for the next two.
        parameters: Conditions on hyperparameters.
        tags: Conditions on tags.
        statuses: One of these.
        created_after: The trials were created after this time.
        created_before: The trials were created before this time.
    """

    metrics: tuple[Filter, ...]
    parameters: tuple[Filter, ...]
    tags: tuple[Filter, ...]
    statuses: tuple[str, ...]
    created_after: datetime | None
    created_before: datetime | None

    def metric_names(self) -> set[str]:
        """Return the metrics that have a condition."""
        names = (condition.name for item in self.metrics for condition in _conditions(item))
        return {name.removeprefix("Metrics.").rpartition(".")[0] for name in names if name.startswith("Metrics.")}

    def where(self) -> list[Filter]:
        """Return the filters, all of which must hold."""
        found = [*self.metrics, *self.parameters, *self.tags]
        if self.statuses:
            found.append(where.status().isin(self.statuses))
        if self.created_after is not None:
            found.append(where.created() > self.created_after)
        if self.created_before is not None:
            found.append(where.created() < self.created_before)
        return found


def _conditions(item: Filter) -> Iterator[Condition]:
    """Yield the conditions that a filter joins."""
    match item:
        case Condition():
            yield item
        case Junction(_, parts):
            for part in parts:
                yield from _conditions(part)
