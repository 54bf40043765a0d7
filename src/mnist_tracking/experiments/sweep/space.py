"""The space of a sweep: lists of values, expanded to a grid."""

import itertools
from collections.abc import Iterable, Mapping

from mnist_tracking._values.records import Scalar
from mnist_tracking.errors import ConfigError


def expand_grid(space: Mapping[str, Iterable[Scalar]]) -> list[dict[str, Scalar]]:
    """
    Return every combination, the last hyperparameter varying fastest.

    Raises:
        ConfigError: If there are no hyperparameters, or one has no values or the same value twice.

    Example:
        >>> expand_grid({"lr": [0.1, 0.01], "epochs": [1]})
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
    lists = {name: _values(name, values) for name, values in space.items()}
    return [dict(zip(lists, combination, strict=True)) for combination in itertools.product(*lists.values())]


def _values(name: str, values: Iterable[Scalar]) -> list[Scalar]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(f"The values of {name!r} are {values!r}; expected a list, such as [1, 2].")
    found = list(values)
    if not found:
        raise ConfigError(f"The grid has no values for {name!r}; expected at least one.")
    if len({(type(value), repr(value)) for value in found}) < len(found):
        raise ConfigError(f"The grid has a value of {name!r} twice: {found!r}.")
    return found
