"""Specification of a hyperparameter: description, type, limits, and decoding. Standard library only."""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import TypeAlias

from mnist_tracking.errors import ConfigError

__all__ = ["HyperparameterSpec", "Scalar"]

Scalar: TypeAlias = int | float | str | bool | None

_FLAGS: Mapping[object, bool] = {"true": True, "false": False, "1": True, "0": False}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HyperparameterSpec:
    """
    One hyperparameter: its description, allowed values, and default in each recipe.

    Attributes:
        name: Name in `Hyperparameters` and on the command line.
        meaning: Short description.
        kind: Type of its value: int, float, str or bool.
        defaults: Default value by recipe name.
        at_least: Smallest allowed number.
        at_most: Largest allowed number.
        above: Exclusive lower bound.
        below: Exclusive upper bound.
        choices: Allowed strings; empty for other types.
        optional: Whether None is allowed.

    Example:
        >>> from mnist_tracking.training import hyperparameter_specs
        >>> spec = hyperparameter_specs()["momentum"]
        >>> spec.kind.__name__, spec.describe(), spec.defaults["reference"]
        ('float', 'a number, at least 0 and below 1', 0.5)
    """

    name: str
    meaning: str
    kind: type
    defaults: Mapping[str, Scalar]
    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()
    optional: bool = False

    def decode(self, value: object) -> Scalar:
        """
        Decode a value, which may be a string as passed by SageMaker: ``"20"``, ``20.0`` and ``20`` are the same.

        Raises:
            ConfigError: If the value has the wrong type or is out of range.
        """
        if self.choices:
            return self._choose(value)
        if self.kind is bool:
            return self._flag(value)
        number = _number(value)
        if not self._allows(number) or (self.kind is int and not number.is_integer()):
            raise self._refusal(value)
        return int(number) if self.kind is int else number

    def describe(self) -> str:
        """Describe the allowed values."""
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices)) + (", or None" if self.optional else "")
        if self.kind is bool:
            return "true or false"
        bounds = {"at least": self.at_least, "at most": self.at_most, "above": self.above, "below": self.below}
        limits = " and ".join(f"{word} {value:.12g}" for word, value in bounds.items() if math.isfinite(value))
        noun = "a whole number" if self.kind is int else "a number"
        return f"{noun}, {limits}" if limits else noun

    def _choose(self, value: object) -> str | None:
        if self.optional and (value is None or (isinstance(value, str) and value.lower() in ("", "none"))):
            return None
        if isinstance(value, str) and value.lower() in self.choices:
            return value.lower()
        raise self._refusal(value)

    def _flag(self, value: object) -> bool:
        text = str(value).lower() if isinstance(value, bool | int | str) else ""
        if text not in _FLAGS:
            raise self._refusal(value)
        return _FLAGS[text]

    def _allows(self, number: float) -> bool:
        return math.isfinite(number) and self.at_least <= number <= self.at_most and self.above < number < self.below

    def _refusal(self, value: object) -> ConfigError:
        return ConfigError(f"The hyperparameter {self.name!r} is {value!r}, but must be {self.describe()}.")


def _number(value: object) -> float:
    """Convert a number or numeric string to float; NaN for anything else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, str | numbers.Real):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan
