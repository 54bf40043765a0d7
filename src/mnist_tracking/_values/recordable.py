"""
How a trial component keeps a parameter, so that it is read back as it was put in.

A component knows finite numbers and texts alone. What is neither is kept as JSON; so is a text that would otherwise be
taken for JSON. Standard library only: this module travels with training jobs.
"""

import json
import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from mnist_tracking._values.checks import Kind, check_key
from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError

__all__ = ["Scalar", "as_kept", "check_mapping", "encode", "plain", "recordable", "scalar"]

Scalar = str | int | float | bool | None
_LONGEST_TEXT = 2500
_EXACT = 2**53  # larger integers are not exact as the floating-point numbers that a component keeps


def plain(value: Any) -> Any:
    """Return Python's own form of a number of numpy or torch; an array of several numbers as it is."""
    item = getattr(value, "item", None)
    try:
        return item() if callable(item) else value
    except (TypeError, ValueError, RuntimeError):
        return value


def check_mapping(kind: Kind, values: object) -> None:
    """
    Make sure that parameters or hyperparameters are given by name.

    Raises:
        ConfigError: If they are not.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"The {kind}s are {shortened(values)}; give a mapping, such as {{'epochs': 2}}.")


def scalar(kind: Kind, name: str, value: object) -> Scalar:
    """
    Return the value of a parameter or a hyperparameter as a Python scalar; numbers of numpy and torch are taken too.

    Raises:
        ConfigError: If the name cannot be recorded, or the value is of another type.
    """
    check_key(kind, name)
    found = plain(value)
    match found:
        case None | bool() | str():
            return found
        case Integral():
            return int(found)
        case Real():
            return float(found)
    raise _refusal(kind, name, value)


def recordable(kind: Kind, name: str, value: object) -> Scalar:
    """
    Return what `scalar` does, of a value that SageMaker keeps.

    Raises:
        ConfigError: If it does not: the value is of another type, not finite, or too long.
    """
    found = scalar(kind, name, value)
    if isinstance(found, float) and not math.isfinite(found):
        raise _refusal(kind, name, value)
    length = len(json.dumps(found) if kind == "hyperparameter" else str(as_kept(found)))
    if length > _LONGEST_TEXT:
        raise ConfigError(f"The {kind} {name!r} takes {length} characters; SageMaker takes {_LONGEST_TEXT}.")
    return found


def _refusal(kind: Kind, name: str, value: object) -> ConfigError:
    return ConfigError(
        f"The {kind} {name!r} is {shortened(value)} ({type(value).__name__}); possible are finite numbers, texts, "
        "booleans and None."
    )


def encode(value: Scalar) -> str | float | None:
    """
    Return a value as a component keeps it; None if it keeps no such value.

    Example:
        >>> encode(True), encode(0.1), encode("sgd"), encode("true"), encode(2**63)
        ('true', 0.1, 'sgd', '"true"', '9223372036854775808')
        >>> encode(math.inf) is None
        True
    """
    encoded = as_kept(value)
    is_kept = len(encoded) <= _LONGEST_TEXT if isinstance(encoded, str) else math.isfinite(encoded)
    return encoded if is_kept else None


def as_kept(value: Scalar) -> str | float:
    """Return a value in the form that a component has for it, also one that SageMaker would refuse."""
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return value if _reads_back(value) else json.dumps(value)
        case int() if abs(value) > _EXACT:
            return str(value)
    return float(value)


def _reads_back(text: str) -> bool:
    """Whether a text can be kept as it is: it is one line, and no JSON for anything else."""
    is_json = text in ("true", "false", "null") or (text[:1] == text[-1:] == '"')
    return not is_json and text.splitlines() == [text]
