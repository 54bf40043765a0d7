"""
What can be recorded: the names and values of parameters and metrics, and how a trial component stores them.

A component stores finite numbers and strings only. Anything else is stored as JSON, and so is a string that would
otherwise be read back as JSON. Standard library only: this module travels with training jobs.
"""

import json
import math
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Literal

from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

#: What SageMaker takes for the type of a file, in at most 64 characters.
MEDIA_TYPE = re.compile(r"(?=.{1,64}$)[-\w]+/[-\w+]+")

Kind = Literal["artifact", "hyperparameter", "input", "metric", "output", "parameter"]
_LONGEST_KEY: dict[Kind, int] = {
    "artifact": 128,
    "hyperparameter": 256,
    "input": 128,
    "metric": 255,
    "output": 128,
    "parameter": 320,
}
_OF_THE_SDK = "sagemaker_"  # its own hyperparameters


def check_key(kind: Kind, name: object) -> str:
    """
    Return *name* if something of that kind can be recorded under it.

    Raises:
        ConfigError: If it is no text, empty, too long, of several lines, or the SDK's own.
    """
    is_taken = kind == "hyperparameter" and isinstance(name, str) and name.startswith(_OF_THE_SDK)
    if isinstance(name, str) and len(name) <= _LONGEST_KEY[kind] and name.splitlines() == [name] and not is_taken:
        return name
    own = f", which does not begin with {_OF_THE_SDK!r}" if kind == "hyperparameter" else ""
    raise ConfigError(
        f"The {kind} name {short_repr(name)} is refused: a text of 1 to {_LONGEST_KEY[kind]} characters in one line is "
        f"needed{own}."
    )


Scalar = str | int | float | bool | None
_LONGEST_TEXT = 2500
_EXACT = 2**53  # larger integers are not exact as the floating-point numbers that a component keeps


def python_scalar(value: Any) -> Any:
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
        raise ConfigError(f"The {kind}s are {short_repr(values)}; give a mapping, such as {{'epochs': 2}}.")


def scalar(kind: Kind, name: str, value: object) -> Scalar:
    """
    Return the value of a parameter or a hyperparameter as a Python scalar; numbers of numpy and torch are taken too.

    Raises:
        ConfigError: If the name cannot be recorded, or the value is of another type.
    """
    check_key(kind, name)
    found = python_scalar(value)
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
        f"The {kind} {name!r} is {short_repr(value)} ({type(value).__name__}); possible are finite numbers, texts, "
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


def check_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """
    Return metrics as Python's own numbers, which may be infinite or not a number (NaN).

    Raises:
        ConfigError: If they are no mapping of names to numbers.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"The metrics are {short_repr(values)}; give a mapping, such as {{'f1': 0.97}}.")
    return {check_key("metric", name): _number(name, value) for name, value in values.items()}


def check_finite(numbers: Mapping[str, float]) -> None:
    """
    Make sure that SageMaker records these values.

    Raises:
        ConfigError: If one is infinite or not a number (NaN).
    """
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise ConfigError(f"The metric {name!r} is {number}; SageMaker records finite numbers only.")


def check_step(step: object) -> int | None:
    """
    Return the step of a value; None if there is none.

    Raises:
        ConfigError: If it is no whole number from 0.
    """
    if step is None:
        return None
    if isinstance(step, bool) or not isinstance(step, Integral) or step < 0:
        raise ConfigError(f"step={short_repr(step)}; steps are whole numbers from 0.")
    return int(step)


def _number(name: str, value: object) -> float:
    try:
        return float(python_scalar(value))
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise ConfigError(
            f"The metric {name!r} is {short_repr(value)} ({type(value).__name__}), which is no number; SageMaker "
            "records finite numbers only."
        ) from None


def metric_regex(name: str) -> str:
    r"""
    Return the regular expression that finds the values of one metric, and no other, in what `log_metric` prints.

    Example:
        >>> metric_regex("validation:accuracy")
        'metric "validation:accuracy"=([-+.0-9e]+)(?: step=\\d+)?;'
    """
    return rf"metric {re.escape(json.dumps(name))}=([-+.0-9e]+)(?: step=\d+)?;"
