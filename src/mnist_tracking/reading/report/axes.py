"""Axes of charts: where a value stands between 0 and 1, and which values are marked."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, TypeGuard

import attrs

from mnist_tracking._values.recordable import as_text
from mnist_tracking._values.text import number

__all__ = ["Axis", "axis_of", "is_number", "score_axis", "step_axis"]

_LOG_SPAN = 8  # numbers that span less than this factor are spread evenly
_TICKS = 5
_MOST_MARKED = 6  # characters of a number that is marked itself: 0.0164377 was drawn from a range
_MOST_CATEGORIES = 8  # that are all named
_APART = 0.09  # labels that are closer would overlap
_PADDING = 0.04
_FENCE = 3  # interquartile ranges, beyond which Tukey calls a value far out
_FEWEST_FENCED = 6
_BEYOND = 1e300  # differences of larger numbers are infinite


@attrs.frozen
class Axis:
    """
    An axis for numbers, evenly or by their logarithm, or for values of any type side by side.

    Attributes:
        kind: What it is.
        low: The number at 0, or its logarithm.
        high: The number at 1, or its logarithm.
        categories: The values side by side, as text, in order.
        marked: The numbers to mark; empty for round ones.
    """

    kind: Literal["linear", "log", "category"]
    low: float = 0.0
    high: float = 1.0
    categories: tuple[str, ...] = ()
    marked: tuple[float, ...] = ()

    def is_beyond(self, value: object) -> bool:
        """Whether a number is beyond the ends."""
        return self.kind == "linear" and not self.low <= float(value) <= self.high  # type: ignore[arg-type]

    def at(self, value: object) -> float:
        """Return where a value stands, from 0 to 1; a number beyond the ends stands at the nearer one."""
        if self.kind == "category":
            return (self.categories.index(as_text(value)) + 0.5) / len(self.categories)  # type: ignore[arg-type]
        found = float(value)  # type: ignore[arg-type]
        if self.kind == "log":
            found = math.log10(found) if found > 0 else self.low
        return min(max((found - self.low) / (self.high - self.low), 0.0), 1.0)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The places and the labels of what is marked."""
        if self.kind == "category":
            every = math.ceil(len(self.categories) / _MOST_CATEGORIES)
            shown = enumerate(self.categories)
            return [((place + 0.5) / len(self.categories), name) for place, name in shown if place % every == 0]
        rounded = _log_ticks(self.low, self.high) if self.kind == "log" else _linear_ticks(self.low, self.high)
        return _apart([(self.at(value), number(value)) for value in self.marked or rounded])


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number that has a place on an axis."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _BEYOND


def axis_of(values: Sequence[object], *, are_choices: bool = True) -> Axis:
    """
    Return an axis on which all values have a place.

    Numbers are placed by their logarithm if that spreads them more evenly; anything else is placed side by side. A few
    numbers are marked themselves if they were chosen, as hyperparameters are, and not measured.

    Example:
        >>> axis_of([0.001, 0.01, 0.1]).kind, axis_of([0.1, 0.5, 0.9]).kind, axis_of([2, "auto"]).ticks
        ('log', 'linear', [(0.25, '2'), (0.75, 'auto')])
    """
    numbers = sorted({float(value) for value in values if is_number(value)})
    if not all(map(is_number, values)):
        names = dict.fromkeys(as_text(value) for value in sorted(values, key=_order))  # type: ignore[arg-type]
        return Axis("category", categories=tuple(names))
    if not numbers:
        return Axis("linear")
    is_short = len(numbers) <= _TICKS and all(len(number(value)) <= _MOST_MARKED for value in numbers)
    marked = tuple(numbers) if are_choices and is_short else ()
    if _is_skewed([float(value) for value in values]):  # type: ignore[arg-type]
        return Axis("log", *_padded(math.log10(numbers[0]), math.log10(numbers[-1])), marked=marked)
    return Axis("linear", *_padded(numbers[0], numbers[-1]), marked=marked)


def step_axis(values: Sequence[float]) -> Axis:
    """
    Return an axis for steps, which are spread evenly.

    Example:
        >>> [label for _, label in step_axis([0, 1, 2, 20]).ticks]
        ['0', '5', '10', '15', '20']
    """
    ordered = sorted(values)
    return Axis("linear", *_padded(ordered[0], ordered[-1])) if ordered else Axis("linear")


def score_axis(values: Sequence[float]) -> Axis:
    """
    Return an axis for scores, on which a few that are far from the others stand at an end.

    Example:
        >>> axis = score_axis([9.8, 96.1, 96.3, 96.8, 97.0, 97.2])
        >>> axis.low > 95, axis.is_beyond(9.8), axis.at(9.8)
        (True, True, 0.0)
    """
    ordered = sorted(values)
    if len(ordered) < _FEWEST_FENCED:
        return axis_of(ordered, are_choices=False)
    first, third = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    reach = _FENCE * (third - first)
    near = [value for value in ordered if first - reach <= value <= third + reach]
    return axis_of(near, are_choices=False)


def _order(value: object) -> tuple[bool, float, str]:
    is_last = not is_number(value)
    return is_last, 0.0 if is_last else float(value), as_text(value)  # type: ignore[arg-type]


def _is_skewed(values: Iterable[float]) -> bool:
    """Whether the middle one of positive numbers is nearer to the geometric mean of the ends than to the other."""
    ordered = sorted(values)
    low, middle, high = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    if low <= 0 or high < _LOG_SPAN * low:
        return False
    return abs(middle - math.sqrt(low) * math.sqrt(high)) < abs(middle - (low / 2 + high / 2))


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * _PADDING or abs(low) * _PADDING or 1.0
    return low - margin, high + margin


def _linear_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / _TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = size * next(factor for factor, most in ((1, 1.5), (2, 3.5), (5, 7.5), (10, 11)) if rough < most * size)
    return [place * step for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    factors = (1, 2, 5) if high - low < 2 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    every = max(1, math.ceil((high - low) / _TICKS))
    found = (factor * 10.0**power for power in powers if power % every == 0 for factor in factors)
    return [value for value in found if low <= math.log10(value) <= high]


def _apart(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out labels that would overlap the one before."""
    kept: list[tuple[float, str]] = []
    for place, label in ticks:
        if not kept or place - kept[-1][0] >= _APART:
            kept.append((place, label))
    return kept
