"""
Exact numbers: what a trial component's floating-point numbers lose is stored beside them.

A component stores every number as a double, so it loses whether 2.0 was 2, and the last digits of integers from 2**53
on. The number stays what Search and SageMaker Studio see. The exact value goes beside it: in a parameter of its own on
a component that this library writes, and in reserved hyperparameters of a job, which SageMaker copies to the component
and its toolkits do not pass to the script.

Without either, a whole number below 2**53 is read as an integer, and any other number as a float. Standard library
only: this module travels with training jobs.
"""

import json
import math
from collections.abc import Container, Iterator, Mapping
from typing import Any

from mnist_tracking._values.markers import JOB_RESERVED, RESERVED
from mnist_tracking._values.recordable import ParameterValue, container_in, stored_form
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

#: Begins the name of the parameter with the exact value of another parameter, whose name follows.
EXACT = f"{RESERVED}exact."

#: Begins the name of the hyperparameter with the exact digits of another one, an integer, whose name follows.
JOB_EXACT = f"{JOB_RESERVED}exact."

#: Begins the names of hyperparameters that list others: whole numbers that are floats.
JOB_FLOATS = f"{JOB_RESERVED}floats"

_PREFIXES = (EXACT, JOB_EXACT, JOB_FLOATS)
_FIRST_INEXACT = 2**53
_LONGEST_HYPERPARAMETER, _LONGEST_PARAMETER, _LONGEST_LIST = 256, 320, 2500


def from_number(number: float) -> int | float:
    """
    Return a number as it is read without its exact value.

    Example:
        >>> from_number(2.0), from_number(0.5), from_number(1e300)
        (2, 0.5, 1e+300)
    """
    return int(number) if number.is_integer() and not is_inexact(number) else number


def is_inexact(number: float) -> bool:
    """Whether a number is so large that a double may stand for several integers."""
    return abs(number) >= _FIRST_INEXACT


def is_lost(value: ParameterValue) -> bool:
    """Whether a value is not read back from its number alone."""
    if isinstance(value, float):
        return value.is_integer() and not is_inexact(value)
    return isinstance(value, int) and is_inexact(value)


def exact_parameters(values: Mapping[str, ParameterValue], known: Container[str] = ()) -> dict[str, str]:
    """
    Return the parameters that preserve exact values.

    Args:
        values: What is recorded.
        known: The names of the component's parameters: an exact value that is there already is replaced.

    Raises:
        ConfigError: If the name of an exact value would be too long.

    Example:
        >>> exact_parameters({"lr": 2.0, "epochs": 2, "seed": 2**60 + 1})
        {'mnist-tracking:exact.lr': '2.0', 'mnist-tracking:exact.seed': '1152921504606846977'}
    """
    return {
        _key(EXACT, name, _LONGEST_PARAMETER): json.dumps(value)
        for name, value in values.items()
        if is_lost(value) or (type(value) in (int, float) and f"{EXACT}{name}" in known)
    }


def exact_hyperparameters(values: Mapping[str, ParameterValue]) -> dict[str, Any]:
    """
    Return the hyperparameters that preserve exact values, for the SDK to encode as JSON.

    Raises:
        ConfigError: If the name of an exact value would be too long.

    Example:
        >>> exact_hyperparameters({"lr": 2.0, "seed": 2**60 + 1})
        {'sagemaker_mnist_tracking_exact.seed': '1152921504606846977', 'sagemaker_mnist_tracking_floats': ['lr']}
    """
    lost = {name: value for name, value in values.items() if is_lost(value)}
    lists = _lists([name for name, value in lost.items() if isinstance(value, float)])
    return {
        **{
            _key(JOB_EXACT, name, _LONGEST_HYPERPARAMETER): str(value)
            for name, value in lost.items()
            if isinstance(value, int)
        },
        **{f"{JOB_FLOATS}{number or ''}": names for number, names in enumerate(lists)},
    }


def _key(prefix: str, name: str, longest: int) -> str:
    if len(name) > longest - len(prefix):
        raise ConfigError(
            f"The name {short_repr(name)} is too long for a whole float, or an integer beyond 2**53: expected at most "
            f"{longest - len(prefix)} characters."
        )
    return f"{prefix}{name}"


def _lists(names: list[str]) -> Iterator[list[str]]:
    """Yield the names in lists that each fit into a hyperparameter."""
    fitting: list[str] = []
    for name in names:
        if len(json.dumps([*fitting, name])) > _LONGEST_LIST:
            yield fitting
            fitting = []
        fitting.append(name)
    if fitting:
        yield fitting


def take_exact(decoded: dict[str, ParameterValue], stored: Mapping[str, str | float]) -> None:
    """
    Put exact values in place of what was decoded from numbers, and remove what preserved them.

    An exact value that does not belong to the stored number is out of date, and ignored.
    """
    reserved = [name for name in stored if name.startswith(_PREFIXES)]
    for key in [name for name in reserved if name.startswith(JOB_FLOATS)]:
        del decoded[key]
        for name in container_in(str(stored[key])) or ():
            if isinstance(name, str) and isinstance(stored.get(name), float):
                decoded[name] = stored[name]
    for prefix in (JOB_EXACT, EXACT):
        for key in [name for name in reserved if name.startswith(prefix)]:
            name, exact = key.removeprefix(prefix), _number_in(decoded.pop(key))
            if exact is not None and name in stored and stored_form(exact) == stored[name]:
                decoded[name] = exact


def _number_in(text: ParameterValue) -> int | float | None:
    try:
        number = json.loads(str(text))
    except ValueError:
        return None
    return number if type(number) is int or (type(number) is float and math.isfinite(number)) else None
