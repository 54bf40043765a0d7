"""The space of a sweep: lists of values, counted, then expanded to a grid."""

import itertools
import math
from collections.abc import Iterable, Mapping

from mnist_tracking._values.recordable import python_scalar
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec
from mnist_tracking._values.text import ellipsize, short_repr
from mnist_tracking.errors import ConfigError

TRIAL_QUOTA = 300
"""The number of trials that an experiment may have by AWS's default."""


def expand_grid(
    space: Mapping[str, Iterable[ParameterValue]], job: JobSpec, *, at_most: int = TRIAL_QUOTA
) -> list[dict[str, ParameterValue]]:
    """
    Return every combination, the last hyperparameter varying fastest.

    Raises:
        ConfigError: If there are no hyperparameters, one has no values or the same value twice, there are more than
            *at_most* combinations, which are counted before any is built, or the job rejects one.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("train.py").write_text("")
        >>> expand_grid({"lr": [0.1, 0.01], "epochs": [1]}, JobSpec("train.py"))
        [{'lr': 0.1, 'epochs': 1}, {'lr': 0.01, 'epochs': 1}]
    """
    if not isinstance(space, Mapping):
        raise ConfigError(
            f"The space is {space!r}; expected a mapping of names to lists, such as {{'lr': [0.1, 0.01]}}."
        )
    if not space:
        raise ConfigError(
            "The grid is empty; expected at least one hyperparameter, such as {'hidden_channels': [2, 5, 10]}."
        )
    lists = {name: _values(name, values, at_most) for name, values in space.items()}
    count = math.prod(map(len, lists.values()))
    if count > at_most:
        sizes = " x ".join(str(len(values)) for values in lists.values())
        raise ConfigError(f"The grid has {ellipsize(sizes, 40)} = {count:,} points. {_too_many(at_most)}")
    points = [dict(zip(lists, combination, strict=True)) for combination in itertools.product(*lists.values())]
    for point in points:
        _check_point(job, point)
    return points


def _values(name: str, values: Iterable[ParameterValue], at_most: int) -> list[ParameterValue]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(f"The values of {name!r} are {values!r}; expected a list, such as [1, 2].")
    found = list(itertools.islice(values, at_most + 1))
    if not found:
        raise ConfigError(f"The grid has no values for {name!r}; expected at least one.")
    if len(found) > at_most:
        raise ConfigError(f"The grid has more than {at_most} values for {name!r}. {_too_many(at_most)}")
    if len({(type(value), repr(value)) for value in map(python_scalar, found)}) < len(found):
        raise ConfigError(f"The grid has a value of {name!r} twice: {found!r}.")
    return found


def _too_many(at_most: int) -> str:
    return f"An experiment may have {at_most} trials. Split the sweep, or pass trial_quota= if yours is higher."


def _check_point(job: JobSpec, point: Mapping[str, ParameterValue]) -> None:
    try:
        job.merged(point)
    except ConfigError as error:
        raise ConfigError(f"The point {_named(point)} of the grid is not allowed: {error}") from error


def _named(point: Mapping[str, ParameterValue]) -> str:
    return ", ".join(f"{name}={short_repr(value)}" for name, value in point.items())
