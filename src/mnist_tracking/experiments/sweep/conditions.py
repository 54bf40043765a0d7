"""Conditional parameters: those that only some points have."""

from collections.abc import Iterable, Mapping

import attrs

from mnist_tracking._values.recordable import as_text, comparable
from mnist_tracking._values.records import ParameterValue

__all__ = ["Condition", "When", "when"]


@attrs.frozen
class Condition:
    """
    What must hold for a parameter to be part of a point.

    Attributes:
        parent: The name of another parameter.
        values: Its values for which the condition holds.
    """

    parent: str
    values: tuple[ParameterValue, ...]

    def __str__(self) -> str:
        return f"{self.parent} is {' or '.join(map(as_text, self.values))}"

    def holds(self, point: Mapping[str, ParameterValue]) -> bool:
        """Whether the other parameter is part of a point, and has one of the values."""
        return self.parent in point and comparable(point[self.parent]) in map(comparable, self.values)


@attrs.frozen
class When:
    """A parameter, or several, that only some points have; made by `when`."""

    condition: Condition
    given: object


def when(name: str, values: ParameterValue | Iterable[ParameterValue], then: object) -> When:
    """
    Return a parameter of only those points in which another one has a certain value, for `HyperparameterSweep`.

    Args:
        name: The other parameter. In a nested space, the one beside this is found first.
        values: Its value, or a list of values.
        then: A dimension, a list of values, or a mapping of names to them.

    Example:
        >>> space = Space.of({"optimizer": ["sgd", "adam"], "momentum": when("optimizer", "sgd", [0.8, 0.9])})
        >>> for point in space.points():
        ...     print(point)
        {'optimizer': 'sgd', 'momentum': 0.8}
        {'optimizer': 'sgd', 'momentum': 0.9}
        {'optimizer': 'adam'}
    """
    is_list = isinstance(values, Iterable) and not isinstance(values, str | Mapping)
    return When(Condition(name, tuple(values) if is_list else (values,)), then)  # type: ignore[arg-type]
