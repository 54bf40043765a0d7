"""Space: what a sweep searches, as dimensions, conditions and a rule; counted, never built."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeAlias

import attrs

from mnist_tracking._values.records import ParameterValue, own_copy
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.applying import apply_point
from mnist_tracking.experiments.sweep.building import Point, build
from mnist_tracking.experiments.sweep.conditions import Condition
from mnist_tracking.experiments.sweep.dimensions import Choice, Dimension, Fixed, Integers, Uniform
from mnist_tracking.experiments.sweep.document import Section
from mnist_tracking.experiments.sweep.parameters import from_leaf, to_parameter

__all__ = ["Choice", "Dimension", "Fixed", "Integers", "Point", "Space", "Uniform", "apply_point"]

Rule: TypeAlias = Callable[[Mapping[str, Any]], object]  # of a point; the user knows the types of its values
Suggest: TypeAlias = Callable[[str, Dimension], ParameterValue]


@attrs.frozen(kw_only=True)
class Space:
    """
    What a sweep searches.

    A point is a flat mapping; nested parameters have dotted names, such as ``"optimizer.lr"``. The names of dimensions
    that are not hyperparameters begin with ``job:``.

    Attributes:
        dimensions: What each parameter may be, nested and conditional ones included; a condition's parameter comes
            after the one it depends on.
        conditions: The conditions of those parameters that only some points have.
        explicit: The points, if they were listed one by one; then nothing is drawn.
        first: Points to try first.
        where: Returns whether to keep a point; None keeps all.
        is_ruled: Whether the space has a rule, even one that could not be stored.

    Example:
        >>> space = Space.of({"lr": [0.1, 0.01], "epochs": [1]})
        >>> len(space), next(space.points())
        (2, {'lr': 0.1, 'epochs': 1})
    """

    dimensions: Mapping[str, Dimension] = attrs.field(converter=own_copy, hash=False)
    conditions: Mapping[str, tuple[Condition, ...]] = attrs.field(factory=dict, converter=own_copy, hash=False)
    explicit: tuple[Point, ...] = ()
    first: tuple[Point, ...] = attrs.field(default=(), hash=False)
    where: Rule | None = None
    is_ruled: bool = False

    @classmethod
    def of(
        cls,
        given: "Space | Mapping[str, Any] | Sequence[Mapping[str, ParameterValue]]",
        *,
        where: Rule | None = None,
        first: Sequence[Mapping[str, ParameterValue]] = (),
    ) -> "Space":
        """
        Return the space that *given* describes.

        Args:
            given: Names, and for each a dimension, a list of values, a mapping (nested parameters), a `when`, one of
                Optuna's distributions or a parameter of SageMaker's tuner; or a list of points.
            where: Called with a point; returns whether to keep it.
            first: Points to try first.

        Raises:
            ConfigError: If it is empty, a dimension is wrong, two names are the same, a condition can never hold, or a
                point to try first is not in the space.
        """
        space = given if isinstance(given, Space) else cls(**attrs.asdict(build(given), recurse=False))
        if where is not None:
            space = attrs.evolve(space, where=_rule(where), is_ruled=True)
        return attrs.evolve(space, first=tuple(map(space.checked, first))) if first else space

    def draw(self, suggest: Suggest) -> Point:
        """
        Return a point whose values *suggest* has chosen.

        Args:
            suggest: Called with the name and the dimension of each parameter that the point has, in order, and that is
                not fixed.

        Raises:
            ConfigError: If the points are explicit.
        """
        if self.explicit:
            raise ConfigError("The points of this space are listed one by one; only strategy='grid' runs them.")
        point: Point = {}
        for name, dimension in self.dimensions.items():
            if self._is_active(name, point):
                point[name] = dimension.value if isinstance(dimension, Fixed) else suggest(name, dimension)
        return point

    def allows(self, point: Mapping[str, ParameterValue]) -> bool:
        """
        Whether the rule keeps a point.

        Raises:
            ConfigError: If the space has a rule that could not be stored.
        """
        if self.is_ruled and self.where is None:
            raise ConfigError("This space has a rule, which cannot be stored. Pass where= again.")
        try:
            return self.where is None or bool(self.where(dict(point)))
        except Exception as error:
            error.add_note(f"where= was called with the point {point!r}.")
            raise

    def contains(self, point: Mapping[str, ParameterValue]) -> bool:
        """Whether a point has exactly the parameters that it should, each with a value of its dimension."""
        return self._fault(point) is None

    def checked(self, point: Mapping[str, ParameterValue]) -> Point:
        """
        Return a copy of a point that the space contains.

        Raises:
            ConfigError: If it does not contain it; the message names the parameter.
        """
        fault = self._fault(point)
        if fault is not None:
            raise ConfigError(f"The point {short_repr(point)} is not in the space: {fault}")
        return dict(point)

    def _fault(self, point: Mapping[str, ParameterValue]) -> str | None:
        """Return why a point is not in the space; None if it is."""
        for name in point:
            if name not in self.dimensions:
                return f"it has no parameter {name!r}.{did_you_mean(name, self.dimensions)}"
        if self.explicit:
            return None if dict(point) in self.explicit else "it is not one of the listed points."
        faults = (self._fault_of(name, dimension, point) for name, dimension in self.dimensions.items())
        return next(filter(None, faults), None)

    def _fault_of(self, name: str, dimension: Dimension, point: Mapping[str, ParameterValue]) -> str | None:
        is_active = self._is_active(name, point)
        if is_active and name not in point:
            return f"{name!r} is missing."
        if not is_active and name in point:
            return f"{name!r} does not apply to it."
        if is_active and not dimension.contains(point[name]):
            return f"{name!r} is {short_repr(point[name])}; expected {dimension}."
        return None

    @property
    def varied(self) -> list[str]:
        """The names of the parameters that are not fixed, or that only some points have."""
        return [
            name for name, found in self.dimensions.items() if not isinstance(found, Fixed) or name in self.conditions
        ]

    @property
    def size(self) -> int | None:
        """The number of points of the grid, before the rule; None for infinitely many."""
        if self.explicit:
            return len(self.explicit)
        if any(dimension.size is None for dimension in self.dimensions.values()):
            return None
        counts: Counter[_State] = Counter({frozenset(): 1})  # points that later conditions cannot tell apart, together
        for name in self.dimensions:
            counts = self._counted(name, counts)
        return counts.total()

    def _counted(self, name: str, counts: "Counter[_State]") -> "Counter[_State]":
        """Count with one more parameter: by those values of it that later parameters depend on."""
        deciding, later = self._deciding(name), self._later(name)
        grown: Counter[_State] = Counter()
        for state, count in counts.items():
            kept = frozenset(pair for pair in state if pair[0] in later)
            if not self._is_active_in(name, state):
                grown[kept] += count
                continue
            grown[kept] += count * ((self.dimensions[name].size or 0) - len(deciding))
            for value in deciding:
                grown[kept | {(name, value)}] += count
        return +grown

    def _deciding(self, name: str) -> set[str]:
        """Return the values of a parameter that others depend on."""
        conditions = itertools.chain.from_iterable(self.conditions.values())
        return {repr(value) for condition in conditions if condition.parent == name for value in condition.values}

    def _later(self, name: str) -> set[str]:
        """Return the parameters that those after *name* depend on."""
        names = list(self.dimensions)
        after = names[names.index(name) + 1 :]
        return {condition.parent for other in after for condition in self.conditions.get(other, ())}

    def _is_active_in(self, name: str, state: "_State") -> bool:
        return all(
            any((condition.parent, repr(value)) in state for value in condition.values)
            for condition in self.conditions.get(name, ())
        )

    def _is_active(self, name: str, point: Mapping[str, ParameterValue]) -> bool:
        return all(condition.holds(point) for condition in self.conditions.get(name, ()))

    def __len__(self) -> int:
        return self.count()

    def count(self) -> int:
        """
        Return the number of points of the grid, before the rule, however large; ``len`` is limited to ``sys.maxsize``.

        Raises:
            ConfigError: If a range has infinitely many values.
        """
        size = self.size
        if size is None:
            endless = [name for name, dimension in self.dimensions.items() if dimension.size is None]
            raise ConfigError(
                f"{endless[0]!r} is {self.dimensions[endless[0]]}, which has infinitely many values; a grid needs a "
                "list, or a range with a step. Give it a step, or choose a strategy that draws, such as "
                "strategy='random'."
            )
        return size

    def points(self) -> Iterator[Point]:
        """
        Yield the points of the grid, also those that the rule skips; the last parameter varies fastest.

        Raises:
            ConfigError: If a range has infinitely many values.
        """
        self.count()
        return map(dict, self.explicit) if self.explicit else self._grid(list(self.dimensions), {})

    def _grid(self, names: list[str], point: Point) -> Iterator[Point]:
        if not names:
            yield dict(point)
            return
        name, *others = names
        if not self._is_active(name, point):
            yield from self._grid(others, point)
            return
        for value in self.dimensions[name].grid():
            yield from self._grid(others, {**point, name: value})

    def to_json(self) -> dict[str, Any]:
        """
        Return the space as JSON values, from which `from_json` makes an equal one; without the rule.

        Example:
            >>> space = Space.of({"depth": Integers(2, 8)})
            >>> space.to_json()
            {'parameters': {'depth': {'distribution': 'int_uniform', 'min': 2, 'max': 8}}}
            >>> Space.from_json(space.to_json()) == space
            True
        """
        found: dict[str, Any] = {"parameters": {name: self._parameter(name) for name in self.dimensions}}
        if self.explicit:
            found["points"] = [dict(point) for point in self.explicit]
        if self.first:
            found["first"] = [dict(point) for point in self.first]
        return {**found, "is_ruled": True} if self.is_ruled else found

    def describe(self) -> dict[str, str]:
        """
        Return what each parameter may be, in words.

        Example:
            >>> given = {"optimizer": ["sgd", "adam"], "momentum": when("optimizer", "sgd", Uniform(0, 0.9))}
            >>> Space.of(given).describe()
            {'optimizer': 'sgd or adam', 'momentum': '0 to 0.9, if optimizer is sgd'}
        """
        return {
            name: ", ".join([str(dimension), *(f"if {each}" for each in self.conditions.get(name, ()))])
            for name, dimension in self.dimensions.items()
        }

    def _parameter(self, name: str) -> dict[str, Any]:
        found = to_parameter(self.dimensions[name])
        conditions = {each.parent: list(each.values) for each in self.conditions.get(name, ())}
        return {**found, "when": conditions} if conditions else found

    @classmethod
    def from_json(cls, found: Mapping[str, Any], *, where: Rule | None = None) -> Self:
        """Return the space that `to_json` wrote; *where* is its rule, which is not stored."""
        parameters = found["parameters"]
        return cls(
            dimensions={name: from_leaf(Section(parameter)) for name, parameter in parameters.items()},
            conditions={
                name: tuple(Condition(parent, tuple(values)) for parent, values in parameter["when"].items())
                for name, parameter in parameters.items()
                if "when" in parameter
            },
            explicit=tuple(found.get("points", ())),
            first=tuple(found.get("first", ())),
            where=where,
            is_ruled=where is not None or found.get("is_ruled", False),
        )


_State: TypeAlias = frozenset[tuple[str, str]]
"""Values that a count must keep apart: of parameters that later ones depend on."""


def _rule(where: object) -> Rule:
    if not callable(where):
        raise ConfigError(f"where={short_repr(where)}; expected a function of a point that returns whether to keep it.")
    return where
