"""
Filters for searches: properties of trials compared with values, joined with ``&`` and ``|``.

::

    from mnist_tracking import where

    workspace.trials("churn", where=(where.metric("test:accuracy") > 97) & (where.param("optimizer") == "sgd"))

Filters are plain records, which the adapter translates to SageMaker's SearchExpression. A metric is compared in the
unit it was logged in: the accuracies of the CNN are percentages.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, NoReturn

import attrs

from mnist_tracking._values.checks import require_name, require_text, require_zone
from mnist_tracking._values.exact import EXACT, JOB_EXACT, is_inexact
from mnist_tracking._values.markers import NON_FINITE
from mnist_tracking._values.recordable import is_plain, python_scalar
from mnist_tracking._values.records import ParameterValue
from mnist_tracking.errors import ConfigError

__all__ = [
    "Condition",
    "Filter",
    "Junction",
    "Property",
    "created",
    "display_name",
    "metric",
    "param",
    "parent",
    "status",
    "tag",
]

PropertyKind = Literal["number", "text", "any", "time"]
_ORDERING = {
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
}
_STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped")
_STATISTICS = {name: name for name in ("last", "max", "min", "avg", "count")} | {"std_dev": "stddev"}
_PARAMETER = "Parameters."
_PARENTS = {"experiment": "Parents.ExperimentName", "trial": "Parents.TrialName"}


class Filter:
    """A condition on trials. Join two with ``&`` (both) or ``|`` (either)."""

    def __and__(self, other: "Filter") -> "Filter":
        return _joined("And", self, other)

    def __or__(self, other: "Filter") -> "Filter":
        return _joined("Or", self, other)

    def __invert__(self) -> NoReturn:
        raise ConfigError("Search cannot negate a filter. Use != instead of ==, or exists(False).")

    def __bool__(self) -> bool:
        raise ConfigError("A filter is neither true nor false. Join filters with & and |, each in parentheses.")


@attrs.frozen
class Condition(Filter):
    """
    One property compared with one value.

    Attributes:
        name: SageMaker's name of the property, such as ``"Metrics.test:accuracy.last"``.
        operator: SageMaker's name of the comparison, such as ``"GreaterThan"``.
        value: The value as Search takes it; None for ``Exists`` and ``NotExists``.
    """

    name: str
    operator: str
    value: str | None = None


@attrs.frozen
class Junction(Filter):
    """
    Filters of which all, or at least one, must match.

    Attributes:
        operator: ``"And"`` or ``"Or"``.
        parts: The filters, two or more.
    """

    operator: Literal["And", "Or"]
    parts: tuple[Filter, ...]


def _joined(operator: Literal["And", "Or"], *filters: object) -> Filter:
    parts: list[Filter] = []
    for item in filters:
        if not isinstance(item, Filter):
            raise ConfigError(
                f"A filter can only be joined with a filter, not with {item!r}. Put each comparison in parentheses."
            )
        parts += item.parts if isinstance(item, Junction) and item.operator == operator else [item]
    return parts[0] if len(parts) == 1 else Junction(operator, tuple(parts))


@attrs.frozen(eq=False)
class Property:
    """
    A property to compare with a value.

    ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, `contains`, `isin` and `exists` return a `Filter`.

    Attributes:
        name: SageMaker's name of it.
        label: How it is written, for error messages.
        kind: What it can be compared with: a number, a string, either, or a time.
        choices: All possible values, if there are few.
        unless: A property whose existence means that this one has no number to compare; empty for none.
    """

    name: str
    label: str
    kind: PropertyKind
    choices: tuple[str, ...] = ()
    unless: str = ""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]
        return self._comparable(self._equal(value))

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        number = self._inexact(value)
        unequal = _joined("And", *self._each("NotEquals", value))
        return unequal if number is None else _joined("Or", unequal, _has_other_digits(self.name, number))

    def __gt__(self, value: float | datetime) -> Filter:
        return self._ordered("GreaterThan", value)

    def __ge__(self, value: float | datetime) -> Filter:
        return self._ordered("GreaterThanOrEqualTo", value)

    def __lt__(self, value: float | datetime) -> Filter:
        return self._ordered("LessThan", value)

    def __le__(self, value: float | datetime) -> Filter:
        return self._ordered("LessThanOrEqualTo", value)

    def isin(self, values: Iterable[ParameterValue]) -> Filter:
        """
        Match any of *values*.

        Raises:
            ConfigError: If there are no values, they are a single string, or Search cannot compare one of them.
        """
        if isinstance(values, str):
            raise ConfigError(f"{self.label}.isin() got the string {values!r}; expected a list, such as [{values!r}].")
        found = [self._equal(value) for value in values]
        if not found:
            raise ConfigError(f"{self.label}.isin() got no values; expected at least one.")
        return self._comparable(_joined("Or", *found))

    def contains(self, text: str) -> Filter:
        """Match strings that contain *text*; ConfigError if the property is not a string."""
        if self.kind not in ("text", "any"):
            raise ConfigError(
                f"{self.label} is a {self.kind}; contains() is for strings. Available: {self._available()}."
            )
        return Condition(self.name, "Contains", require_text(self.label, text))

    def exists(self, there: bool = True, /) -> Filter:
        """Match if the property exists at all; with False, if it does not."""
        return Condition(self.name, "Exists" if there else "NotExists")

    def _equal(self, value: object) -> Filter:
        number = self._inexact(value)
        equal = _joined("Or", *self._each("Equals", value))
        return equal if number is None else _joined("And", equal, _has_digits(self.name, number))

    def _each(self, operator: str, value: object) -> Iterator[Condition]:
        return (Condition(self.name, operator, text) for text in self._spellings(python_scalar(value)))

    def _inexact(self, value: object) -> int | float | None:
        """Return a number whose double may stand for other integers as well; None for any other value."""
        number = python_scalar(value)
        is_number = self.kind == "any" and type(number) in (int, float) and abs(number) <= sys.float_info.max
        return number if is_number and is_inexact(number) else None

    def _ordered(self, operator: str, value: object) -> Filter:
        value = python_scalar(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = isinstance(value, datetime) if self.kind == "time" else is_number and self.kind in ("number", "any")
        if not fits:
            raise ConfigError(
                f"{self.label} {_ORDERING[operator]} {value!r}: Search cannot compare these. "
                f"Available: {self._available()}."
            )
        return self._comparable(Condition(self.name, operator, self._text(_ORDERING[operator], value)))

    def _comparable(self, comparison: Filter) -> Filter:
        """Return a comparison that matches only where there is a number to compare."""
        return _joined("And", comparison, Condition(self.unless, "NotExists")) if self.unless else comparison

    def _spellings(self, value: object) -> Sequence[str]:
        """Return the forms in which a value may be stored: jobs have JSON-quoted hyperparameters, trackers do not."""
        match value:
            case datetime() if self.kind == "time":
                return [self._text("==", value)]
            case bool() | None | list() | dict() if self.kind == "any":
                return [json.dumps(value)]
            case str() if self.choices and value not in self.choices:
                raise ConfigError(
                    f"{self.label} is never {value!r}; expected one of {', '.join(map(repr, self.choices))}."
                )
            case str() if self.kind == "any":
                plain = [value] if is_plain(value) else []
                return [require_text(self.label, text) for text in (*plain, json.dumps(value))]
            case str() if self.kind == "text":
                return [require_text(self.label, value)]
            case int() | float() if self.kind in ("number", "any") and not isinstance(value, bool):
                return [require_text(self.label, self._text("==", value))]
        raise ConfigError(f"{self.label} cannot be compared with {value!r}. Available: {self._available()}.")

    def _text(self, sign: str, value: object) -> str:
        if isinstance(value, datetime):
            moment = require_zone(f"{self.label} {sign} {value!r}", value)
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return repr(value)

    def _available(self) -> str:
        ordering = "<, <=, >, >= with a {}"
        return {
            "number": f"==, !=, {ordering.format('number')}, isin(), exists()",
            "time": f"{ordering.format('datetime')}, exists()",
            "text": "==, !=, contains(), isin(), exists()",
            "any": f"==, !=, contains(), isin(), exists(), and {ordering.format('number')}",
        }[self.kind]


def _digits(name: str, number: float) -> dict[str, str]:
    """Return the properties that preserve the digits of a parameter's number, each with the text that it has then."""
    parameter, digits = name.removeprefix(_PARAMETER), str(int(number))
    return {f"{_PARAMETER}{EXACT}{parameter}": digits, f"{_PARAMETER}{JOB_EXACT}{parameter}": json.dumps(digits)}


def _has_digits(name: str, number: float) -> Filter:
    digits = _digits(name, number)
    exact: list[Filter] = [Condition(place, "Equals", text) for place, text in digits.items()]
    if number == float(number):  # as it is read where no digits are preserved
        exact.append(_joined("And", *(Condition(place, "NotExists") for place in digits)))
    return _joined("Or", *exact)


def _has_other_digits(name: str, number: float) -> Filter:
    digits = _digits(name, number)
    other: list[Filter] = [Condition(place, "NotEquals", text) for place, text in digits.items()]
    if number == float(number):
        other.append(_joined("Or", *(Condition(place, "Exists") for place in digits)))
    return _joined("And", *other)


def metric(name: str, statistic: str = "last") -> Property:
    """
    Filter by a metric.

    A metric that ends with NaN or infinity has no number: ``==``, ``<``, ``<=``, ``>`` and ``>=`` do not match it, for
    any statistic but ``"count"``. SageMaker keeps finite values only, so this applies to checked trials only: see
    `Leaderboard.check_logs`.

    Args:
        name: Such as ``"test:accuracy"``.
        statistic: ``"last"``, ``"max"``, ``"min"``, ``"avg"``, ``"count"`` or ``"std_dev"`` of its values.

    Raises:
        ConfigError: If there is no such statistic, or the name is empty.

    Example:
        >>> where.metric("test:accuracy") > 97  # in percent
        Junction(operator='And', parts=(Condition(name='Metrics.test:accuracy.last', operator='GreaterThan', ...), ...))
    """
    if statistic not in _STATISTICS:
        raise ConfigError(f"statistic={statistic!r}; expected one of {', '.join(map(repr, _STATISTICS))}.")
    require_name("a metric", name)
    unless = "" if statistic == "count" else f"Parameters.{NON_FINITE}{name}"
    return Property(f"Metrics.{name}.{_STATISTICS[statistic]}", f"metric({name!r})", "number", unless=unless)


def param(name: str) -> Property:
    """
    Filter by a parameter or hyperparameter: ``==`` matches the values that are read back as equal.

    So 2 matches 2 and 2.0, but neither ``"2"`` nor True; an integer beyond 2**53 matches that integer alone.

    Example:
        >>> (where.param("optimizer") == "sgd") & (where.param("lr") <= 0.1)
        Junction(operator='And', parts=(...))
    """
    return Property(f"{_PARAMETER}{require_name('a parameter', name)}", f"param({name!r})", "any")


def tag(key: str) -> Property:
    """
    Filter by a tag.

    Example:
        >>> where.tag("team") == "cv"
        Condition(name='Tags.team', operator='Equals', value='cv')
    """
    return Property(f"Tags.{require_name('a tag', key)}", f"tag({key!r})", "text")


def status() -> Property:
    """
    Filter by the status: ``"InProgress"``, ``"Completed"``, ``"Failed"``, ``"Stopping"`` or ``"Stopped"``.

    Example:
        >>> where.status() == "Done"
        Traceback (most recent call last):
        mnist_tracking.errors.ConfigError: status() is never 'Done'; expected one of 'InProgress', ...
    """
    return Property("Status.PrimaryStatus", "status()", "text", _STATUSES)


def display_name() -> Property:
    """
    Filter by the kind of step, such as ``"Training"``.

    Example:
        >>> where.display_name() == "Training"
        Condition(name='DisplayName', operator='Equals', value='Training')
    """
    return Property("DisplayName", "display_name()", "text")


def created() -> Property:
    """
    Filter by the time of creation; compare it with a ``datetime`` that has a time zone. Resolution: one second.

    Example:
        >>> where.created() >= datetime(2026, 11, 24, tzinfo=UTC)
        Condition(name='CreationTime', operator='GreaterThanOrEqualTo', value='2026-11-24T00:00:00')
    """
    return Property("CreationTime", "created()", "time")


def parent(kind: Literal["experiment", "trial"]) -> Property:
    """
    Filter by the experiments or trials that a step belongs to; one match is enough.

    Raises:
        ConfigError: If *kind* is neither.

    Example:
        >>> where.parent("trial") == "baseline"
        Condition(name='Parents.TrialName', operator='Equals', value='baseline')
    """
    if kind not in _PARENTS:
        raise ConfigError(f"parent({kind!r}); expected 'experiment' or 'trial'.")
    return Property(_PARENTS[kind], f"parent({kind!r})", "text")
