"""Types of options and arguments: the text that is typed, and its Python value."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mnist_tracking._values.records import ParameterValue
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mnist_tracking.experiments.sweep.dimensions import Dimension

__all__ = ["DURATION", "GRID", "INPUT_PAIR", "MOMENT", "PAIR", "RANGE", "VALUE_PAIR", "pairs", "parse_scalar"]

_RANGE = re.compile(r"(.+?)\.\.(.+?)(?::(.+))?")
_AGO = re.compile(r"(\d+)\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"(\d+)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_scalar(text: str) -> ParameterValue:
    """
    Read JSON: a number, ``true``, ``false``, ``null``, a list or an object; anything else is a string, as if quoted.

    Example:
        >>> [parse_scalar(text) for text in ("2", "1e-3", "true", "sgd", '"2"', "[64, 128]")]
        [2, 0.001, True, 'sgd', '2', [64, 128]]
    """
    try:
        value: ParameterValue = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and the infinities are strings


class _Pair(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """``NAME=VALUE``, as a tuple of strings."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        name = name.strip()
        if not (name and equals):
            self.fail(f"{value!r}; expected a name and a value, such as {self.example}.", param, ctx)
        if name.startswith("-"):
            self.fail(f"{value!r}; write it without hyphens: {str(value).strip().lstrip('-')!r}.", param, ctx)
        return name, self.read(text)

    example = "team=cv"

    def read(self, text: str) -> Any:
        return text


class _ValuePair(_Pair):
    example = "lr=0.1"

    def read(self, text: str) -> ParameterValue:
        return parse_scalar(text)


class _InputPair(_Pair):
    name = "CHANNEL=PATH|S3_URI"
    example = "train=data/train"


class _Grid(_Pair):
    name = "NAME=VALUE,..."
    example = "lr=0.1,0.01"

    def read(self, text: str) -> list[ParameterValue]:
        """Read values separated by commas, or a JSON list, whose strings may contain commas."""
        try:
            values = json.loads(text, parse_constant=_refuse)
        except ValueError:
            values = None
        return values if isinstance(values, list) else [parse_scalar(part.strip()) for part in text.split(",")]


class _Range(_Pair):
    name = "NAME=LOW..HIGH[:log|:STEP]"
    example = "lr=1e-4..1e-1:log, depth=2..8 or width=32..96:8"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        name, text = super().convert(value, param, ctx)
        found = _RANGE.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            self.fail(f"{value!r}; expected a range, such as {self.example}.", param, ctx)
        low, high, step = (None if part is None else parse_scalar(part) for part in found.groups())
        try:
            return name, _dimension(low, high, step)
        except ConfigError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


def _dimension(low: Any, high: Any, step: Any) -> "Dimension":
    """Return a range of integers if all of it is, else of real numbers."""
    from mnist_tracking.experiments.sweep.dimensions import integers, loguniform, uniform

    if type(low) is int and type(high) is int and (step is None or step == "log" or type(step) is int):
        return integers(low, high, log=True) if step == "log" else integers(low, high, step=step or 1)
    return loguniform(low, high) if step == "log" else uniform(low, high, step=step)


class _Moment(click.ParamType):  # type: ignore[type-arg]
    """A date, a date and time, or an age; local time unless it has a zone."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if ago := _AGO.fullmatch(str(value)):
            return datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            return datetime.fromisoformat(str(value)).astimezone()
        except ValueError:
            possible = "2026-11-24, 2026-11-24T13:30, 2026-11-24T13:30Z, or an age such as 30m, 12h, 7d, 2w"
            self.fail(f"{value!r} is not a time; expected {possible}.", param, ctx)


class _Duration(click.ParamType):  # type: ignore[type-arg]
    """A length of time, as whole seconds."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        length = _LENGTH.fullmatch(str(value))
        if length is None or not int(length[1]):
            self.fail(
                f"{value!r} is not a duration; expected a number and a unit, such as 90s, 45m, 2h or 1d.", param, ctx
            )
        return int(length[1]) * _SECONDS[length[2]]


PAIR, VALUE_PAIR, INPUT_PAIR, GRID, RANGE = _Pair(), _ValuePair(), _InputPair(), _Grid(), _Range()
MOMENT, DURATION = _Moment(), _Duration()


def pairs(given: tuple[tuple[str, Any], ...], option: str) -> Mapping[str, Any]:
    """
    Return several ``NAME=VALUE`` as a mapping.

    Raises:
        click.BadParameter: If a name is given twice.
    """
    found = dict(given)
    if len(found) < len(given):
        names = [name for name, _ in given]
        twice = next(name for name in names if names.count(name) > 1)
        raise click.BadParameter(f"{twice!r} is given twice.", param_hint=option)
    return found
