"""Conditions as they are typed, ``'test:accuracy>0.97'``, turned into filters."""

import re
from collections.abc import Callable
from typing import Any

import click

from mnist_tracking._values.where import Filter, Property, metric, param, tag
from mnist_tracking.cli.values import parse_scalar
from mnist_tracking.errors import ConfigError

__all__ = ["METRIC", "PARAMETER", "TAG"]

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
    A property, a comparison and a value; the bare name asks for what has the property at all.

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
                f"{value!r}: give a name, one of =, !=, <, <=, >, >=, ~ (contains), and a value, such as "
                f"{self._example!r}; or the name alone.",
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
    return metric(found["name"], found["statistic"]) if found else metric(name)


METRIC = _ConditionType(_metric, parse_scalar, "test:accuracy>0.97")
PARAMETER = _ConditionType(param, parse_scalar, "optimizer=sgd")
TAG = _ConditionType(tag, str, "team=cv")
