"""Dimensions of a space: what one parameter may be, as a range, a choice or a fixed value."""

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Set
from decimal import Decimal
from numbers import Integral, Real
from typing import TypeAlias

import attrs

from mnist_tracking._values.checks import is_number
from mnist_tracking._values.recordable import as_text, comparable, python_scalar
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.text import ellipsize, number, short_repr
from mnist_tracking.errors import ConfigError

__all__ = [
    "Choice",
    "Dimension",
    "Fixed",
    "Integers",
    "Uniform",
    "choice",
    "fixed",
    "integers",
    "loguniform",
    "uniform",
]

_MOST_VALUES = 10_000  # of a choice: an iterator may be endless


@attrs.frozen
class Uniform:
    """
    A range of real numbers, both ends included.

    Attributes:
        low: The smallest value.
        high: The largest value.
        log: Whether a sampler draws the logarithm uniformly.
        step: The distance between two values of a grid, from *low* on; None for every number.

    Raises:
        ConfigError: If the ends are not finite numbers in order, *step* is not greater than 0, a logarithmic range
            reaches to 0, or has a step.
    """

    low: float = attrs.field(converter=float)
    high: float = attrs.field(converter=float)
    log: bool = attrs.field(default=False, kw_only=True)
    step: float | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_order(self.low, self.high)
        if self.log and self.low <= 0:
            raise ConfigError(f"low={self.low!r}; expected a number > 0, since the range is logarithmic.")
        if self.log and self.step is not None:
            raise ConfigError(f"step={self.step!r}; a logarithmic range has no step.")
        if self.step is not None and not self.step > 0:
            raise ConfigError(f"step={self.step!r}; expected a number > 0.")

    def __str__(self) -> str:
        return _range(self.low, self.high, self.step, is_log=self.log)

    def contains(self, value: object) -> bool:
        """Whether a value is in the range, and on its grid if it has one."""
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-6)

    @property
    def size(self) -> int | None:
        """The number of values; None for infinitely many."""
        if self.step is None:
            return 1 if self.low == self.high else None
        return int((Decimal(repr(self.high)) - Decimal(repr(self.low))) / Decimal(repr(self.step))) + 1

    def grid(self) -> Iterator[ParameterValue]:
        """Yield every value; infinitely many are an error that `Space.points` reports."""
        low, step = Decimal(repr(self.low)), Decimal(repr(self.step or 0.0))
        return (float(low + number * step) for number in range(self.size or 0))

    @property
    def ends(self) -> tuple[ParameterValue, ...]:
        """The outermost values."""
        return (self.low, self.high)


@attrs.frozen
class Integers:
    """
    A range of integers, both ends included.

    Attributes:
        low: The smallest value.
        high: The largest value.
        step: The distance between two values, from *low* on.
        log: Whether a sampler draws the logarithm uniformly.

    Raises:
        ConfigError: If the ends are not integers in order, *step* is not an integer >= 1, or a logarithmic range
            reaches to 0 or does not begin at a multiple of *step*.
    """

    low: int
    high: int
    step: int = attrs.field(default=1, kw_only=True)
    log: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_order(self.low, self.high)
        if self.step < 1:
            raise ConfigError(f"step={self.step!r}; expected an integer >= 1.")
        if self.log and self.low < 1:
            raise ConfigError(f"low={self.low!r}; expected an integer >= 1, since the range is logarithmic.")
        if self.log and self.low % self.step:
            raise ConfigError(
                f"low={self.low!r}; expected a multiple of step={self.step!r}, since the range is logarithmic."
            )

    def __str__(self) -> str:
        step = None if self.step == 1 else self.step
        return f"an integer from {_range(self.low, self.high, step, is_log=self.log)}"

    def contains(self, value: object) -> bool:
        """Whether a value is one of the integers."""
        if not is_number(value) or value != int(value) or not self.low <= value <= self.high:
            return False
        return (int(value) - self.low) % self.step == 0

    @property
    def size(self) -> int:
        """The number of values."""
        return (self.high - self.low) // self.step + 1

    def grid(self) -> Iterator[ParameterValue]:
        """Yield every value, in order."""
        return iter(range(self.low, self.high + 1, self.step))

    @property
    def ends(self) -> tuple[ParameterValue, ...]:
        """The outermost values."""
        return (self.low, self.high)


@attrs.frozen
class Choice:
    """
    One of several values.

    Attributes:
        values: The values, in the order of a grid; lists and mappings may be among them.

    Raises:
        ConfigError: If *values* is empty, or has the same value twice.
    """

    values: tuple[ParameterValue, ...]

    def __attrs_post_init__(self) -> None:
        if not self.values:
            raise ConfigError("There are no values; expected at least one, such as [1, 2].")
        if len({(type(value), repr(value)) for value in map(python_scalar, self.values)}) < len(self.values):
            raise ConfigError(f"A value occurs twice: {short_repr(list(self.values))}.")

    def __str__(self) -> str:
        return ellipsize(" or ".join(map(as_text, self.values)), 80)

    def contains(self, value: ParameterValue) -> bool:
        """Whether a value is one of the choice."""
        return comparable(value) in map(comparable, self.values)

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.values)

    def grid(self) -> Iterator[ParameterValue]:
        """Yield every value, in order."""
        return iter(self.values)

    @property
    def ends(self) -> tuple[ParameterValue, ...]:
        """All values."""
        return self.values


@attrs.frozen
class Fixed:
    """
    The same value in every trial.

    Attributes:
        value: The value.
    """

    value: ParameterValue

    size = 1

    def __str__(self) -> str:
        return as_text(self.value)

    def contains(self, value: ParameterValue) -> bool:
        """Whether a value is the fixed one."""
        return comparable(value) == comparable(self.value)

    def grid(self) -> Iterator[ParameterValue]:
        """Yield the value."""
        return iter((self.value,))

    @property
    def ends(self) -> tuple[ParameterValue, ...]:
        """The value."""
        return (self.value,)


Dimension: TypeAlias = Uniform | Integers | Choice | Fixed


def uniform(low: float, high: float, *, step: float | None = None) -> Uniform:
    """
    Return a range of real numbers, for `HyperparameterSweep`.

    Args:
        low: The smallest value.
        high: The largest value.
        step: The distance between two values, from *low* on, so that a grid can list them.

    Raises:
        ConfigError: If one of them is not a finite number, *low* is above *high*, or *step* is not greater than 0.

    Example:
        >>> list(uniform(0, 0.3, step=0.1).grid())
        [0.0, 0.1, 0.2, 0.3]
    """
    return Uniform(_real("low", low), _real("high", high), step=None if step is None else _real("step", step))


def loguniform(low: float, high: float) -> Uniform:
    """
    Return a range of real numbers whose logarithm is drawn uniformly, for `HyperparameterSweep`.

    Args:
        low: The smallest value, greater than 0.
        high: The largest value.

    Raises:
        ConfigError: If one of them is not a finite number, *low* is above *high*, or not greater than 0.

    Example:
        >>> loguniform(1e-4, 1e-1)
        Uniform(low=0.0001, high=0.1, log=True, step=None)
    """
    return Uniform(_real("low", low), _real("high", high), log=True)


def integers(low: int, high: int, *, step: int = 1, log: bool = False) -> Integers:
    """
    Return a range of integers, both ends included, for `HyperparameterSweep`.

    Args:
        low: The smallest value.
        high: The largest value.
        step: The distance between two values, from *low* on.
        log: Whether the logarithm is drawn uniformly, as suits batch sizes; *low* must then be a multiple of *step*.

    Raises:
        ConfigError: If one of them is not an integer, *low* is above *high*, *step* is less than 1, or a logarithmic
            range begins below 1 or between two multiples of *step*.

    Example:
        >>> list(integers(2, 8, step=2).grid())
        [2, 4, 6, 8]
    """
    return Integers(_integer("low", low), _integer("high", high), step=_integer("step", step), log=bool(log))


def choice(values: Iterable[ParameterValue]) -> Choice:
    """
    Return a choice of values, which have no order, for `HyperparameterSweep`; a plain list is the same.

    Args:
        values: Scalars, lists or mappings.

    Raises:
        ConfigError: If *values* is not a list, is empty or too long, or has the same value twice.

    Example:
        >>> choice(["sgd", "adam"]).size
        2
    """
    if isinstance(values, str | Mapping | Set) or not isinstance(values, Iterable):  # a set has another order each time
        raise ConfigError(f"{short_repr(values)}; expected a list of values, such as [1, 2].")
    found = tuple(itertools.islice(values, _MOST_VALUES + 1))
    if len(found) > _MOST_VALUES:
        raise ConfigError(
            f"There are more than {_MOST_VALUES:,} values; write a range, such as integers(1, 1_000_000)."
        )
    return Choice(found)


def fixed(value: ParameterValue) -> Fixed:
    """
    Return a dimension with one value, for `HyperparameterSweep`; it takes no part in the search.

    Args:
        value: A scalar, a list or a mapping.

    Example:
        >>> fixed(10).size
        1
    """
    return Fixed(value)


def _range(low: float, high: float, step: float | None, *, is_log: bool) -> str:
    steps = "" if step is None else f" in steps of {_shown(step)}"
    return f"{_shown(low)} to {_shown(high)}{steps}{', logarithmic' if is_log else ''}"


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else number(value)


def _check_order(low: float, high: float) -> None:
    if low > high:
        raise ConfigError(f"low={low!r} is above high={high!r}.")


def _real(what: str, value: object) -> float:
    found = python_scalar(value)
    with contextlib.suppress(OverflowError):  # an integer beyond the range of floats
        if not isinstance(found, bool) and isinstance(found, Real) and math.isfinite(found):
            return float(found)
    raise ConfigError(f"{what}={short_repr(value)}; expected a finite number.")


def _integer(what: str, value: object) -> int:
    found = python_scalar(value)
    if isinstance(found, bool) or not isinstance(found, Integral):
        raise ConfigError(f"{what}={short_repr(value)}; expected an integer.")
    return int(found)
