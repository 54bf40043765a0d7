"""What a space is built from: nested mappings, lists, ranges, conditions, other libraries' distributions, points."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs

from mnist_tracking._values.recordable import comparable, comparable_items, recordable
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.applying import JOB, check_job_name
from mnist_tracking.experiments.sweep.conditions import Condition, When
from mnist_tracking.experiments.sweep.dimensions import Choice, Dimension, Fixed, Uniform, choice
from mnist_tracking.experiments.sweep.foreign import from_foreign

__all__ = ["Parameters", "Point", "build"]

Point: TypeAlias = dict[str, ParameterValue]


@attrs.frozen
class Parameters:
    """
    The parameters of a space.

    Attributes:
        dimensions: What each may be; a condition's parameter comes after the one it depends on.
        conditions: The conditions of those that only some points have.
        explicit: The points, if they were listed one by one.
    """

    dimensions: Mapping[str, Dimension]
    conditions: Mapping[str, tuple[Condition, ...]] = attrs.field(factory=dict)
    explicit: tuple[Point, ...] = ()


def build(given: object) -> Parameters:
    """Return the parameters of a space, as `Space.of` documents it."""
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        return _listed(given)
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"The space is {short_repr(given)}; expected a mapping of names to lists or ranges, such as "
            "{'lr': [0.1, 0.01]}, or a list of points."
        )
    if not given:
        raise ConfigError("The space is empty; expected at least one parameter, such as {'lr': [0.1, 0.01]}.")
    parameters: dict[str, tuple[Dimension, list[Condition]]] = {}
    for name, inner in given.items():
        for full, dimension, conditions in _flattened(name, inner, []):
            if full in parameters:
                raise ConfigError(f"The parameter {full!r} occurs twice: once as it is, and once nested.")
            parameters[full] = dimension, conditions
    dimensions = {name: dimension for name, (dimension, _) in parameters.items()}
    resolved = {
        name: _merged(name, [_resolved(name, condition, dimensions) for condition in conditions])
        for name, (_, conditions) in parameters.items()
        if conditions
    }
    order = _ordered(list(dimensions), resolved)
    return Parameters(dimensions={name: dimensions[name] for name in order}, conditions=resolved)


def _listed(points: Sequence[object]) -> Parameters:
    """Return the space of points that were listed one by one."""
    found: dict[Hashable, Point] = {}
    values: dict[str, dict[str, ParameterValue]] = {}
    for number, given in enumerate(points):
        if not isinstance(given, Mapping) or not given:
            raise ConfigError(f"points[{number}] is {short_repr(given)}; expected a mapping of names to values.")
        point = {name: _recorded(name, value) for name, value in given.items()}
        if found.setdefault(comparable_items(point), point) is not point:
            raise ConfigError(f"The point {short_repr(point)} occurs twice.")
        for name, value in point.items():
            values.setdefault(name, {})[repr(value)] = value
    dimensions = {name: Choice(tuple(of.values())) for name, of in values.items()}
    return Parameters(dimensions, explicit=tuple(found.values()))


def _flattened(
    name: object, given: object, conditions: list[Condition]
) -> Iterator[tuple[str, Dimension, list[Condition]]]:
    """Yield every parameter of a nested space, with its conditions."""
    match given:
        case When():
            yield from _flattened(name, given.given, [*conditions, given.condition])
        case Mapping():
            if not given:
                raise ConfigError(f"The nested space {name!r} is empty; expected at least one parameter.")
            for key, inner in given.items():
                yield from _flattened(f"{name}.{key}", inner, conditions)
        case _:
            yield str(name), _dimension(name, given), conditions


def _dimension(name: object, given: object) -> Dimension:
    try:
        found = given if isinstance(given, Dimension) else from_foreign(given) or _choice(given)
    except ConfigError as error:
        raise ConfigError(f"The values of {name!r} are not allowed. {error}") from None
    match found:
        case Choice():
            return Choice(tuple(_recorded(name, value) for value in found.values))
        case Fixed():
            return Fixed(_recorded(name, found.value))
    _recorded(name, 0)
    return found


def _choice(given: object) -> Choice:
    match given:
        case (int() | float() as low, int() | float() as high) if isinstance(given, tuple):
            raise ConfigError(
                f"{given!r} could be two values or a range. Write [{low}, {high}] for two values, or uniform({low}, "
                f"{high}), loguniform({low}, {high}) or integers({low}, {high}) for a range."
            )
        case str() | int() | float() | None:
            raise ConfigError(f"{short_repr(given)}; expected a list of values, such as [{given!r}], or a range.")
    return choice(given)  # type: ignore[arg-type]  # which checks it


def _recorded(name: object, value: object) -> ParameterValue:
    if isinstance(name, str) and name.startswith(JOB):
        check_job_name(name)
    return recordable("hyperparameter", name, value)  # type: ignore[arg-type]  # which checks the name


def _resolved(name: str, condition: Condition, dimensions: Mapping[str, Dimension]) -> Condition:
    """Return a condition with the full name of the other parameter, and the values as that one has them."""
    scope = name.split(".")[:-1]
    names = [".".join([*scope[:depth], condition.parent]) for depth in range(len(scope), -1, -1)]
    parent = next((full for full in names if full in dimensions and full != name), None)
    if parent is None:
        others = [other for other in dimensions if other != name]
        raise ConfigError(
            f"{name!r} depends on {condition.parent!r}, which is not a parameter of the space."
            f"{did_you_mean(str(condition.parent), others)}"
        )
    if not condition.values:
        raise ConfigError(f"{name!r} depends on no value of {parent!r}; expected at least one.")
    dimension = dimensions[parent]
    values = {repr(same): same for value in condition.values for same in _same(name, parent, value, dimension)}
    if isinstance(dimension, Choice | Fixed):
        return Condition(parent, tuple(value for value in dimension.grid() if repr(value) in values))
    return Condition(parent, tuple(sorted(values.values(), key=float)))  # type: ignore[arg-type]  # they are numbers


def _merged(name: str, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """Return conditions with one for each parameter they depend on."""
    merged: dict[str, Condition] = {}
    for each in conditions:
        other = merged.get(each.parent, each)
        values = tuple(value for value in each.values if repr(value) in map(repr, other.values))
        if not values:
            raise ConfigError(f"{name!r} depends on two values of {each.parent!r} at once, which never occurs.")
        merged[each.parent] = Condition(each.parent, values)
    return tuple(merged[parent] for parent in sorted(merged))


def _same(name: str, parent: str, value: ParameterValue, dimension: Dimension) -> list[ParameterValue]:
    """Return the values of a dimension that are the same as one of a condition; ConfigError if it has none."""
    if not dimension.contains(value):
        known = [str(each) for each in dimension.ends]
        raise ConfigError(
            f"{name!r} depends on {parent}={short_repr(value)}, which never occurs; {parent!r} is {dimension}."
            f"{did_you_mean(str(value), known)}"
        )
    if isinstance(dimension, Choice | Fixed):
        return [each for each in dimension.grid() if comparable(each) == comparable(value)]
    return [float(value) if isinstance(dimension, Uniform) else int(value)]  # type: ignore[arg-type]  # it is a number


def _ordered(names: list[str], conditions: Mapping[str, tuple[Condition, ...]]) -> list[str]:
    """Return names in an order in which each comes after those it depends on, and as close as possible."""
    placed: list[str] = []

    def place(name: str) -> None:
        if name in placed or any(condition.parent not in placed for condition in conditions.get(name, ())):
            return
        placed.append(name)
        for other, depends in conditions.items():
            if any(condition.parent == name for condition in depends):
                place(other)

    for name in names:
        place(name)
    for name in names:
        if name not in placed:
            raise ConfigError(f"{name!r} depends on itself, by way of {conditions[name][0].parent!r}.")
    return placed
