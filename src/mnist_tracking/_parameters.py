"""
How a trial component keeps a parameter, so that it is read back as it was put in.

A component knows finite numbers and texts alone. What is neither is kept as JSON; so is a text that would otherwise be
taken for JSON. Standard library only: this module travels with training jobs.
"""

import json
import math
from numbers import Integral, Real
from typing import Any

from mnist_tracking.errors import ConfigError

__all__ = ["LONGEST_TEXT", "Scalar", "encode", "plain", "scalar", "shortened"]

Scalar = str | int | float | bool | None
LONGEST_TEXT = 2500
_EXACT = 2**53  # larger integers are not exact as the floating-point numbers that a component keeps


def plain(value: Any) -> Any:
    """Return Python's own form of a number of numpy or torch; an array of several numbers as it is."""
    item = getattr(value, "item", None)
    try:
        return item() if callable(item) else value
    except (TypeError, ValueError, RuntimeError):
        return value


def scalar(name: str, value: object) -> Scalar:
    """
    Return a parameter's value as a Python scalar; numbers of numpy and torch are taken too.

    Raises:
        ConfigError: If it is of another type.
    """
    found = plain(value)
    match found:
        case None | bool() | str():
            return found
        case Integral():
            return int(found)
        case Real():
            return float(found)
    raise ConfigError(
        f"The parameter {name!r} is {shortened(value)} ({type(value).__name__}); possible are numbers, texts, "
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
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            text = value if _reads_back(value) else json.dumps(value)
        case int() if abs(value) > _EXACT:
            text = str(value)
        case _:
            return float(value) if math.isfinite(value) else None
    return text if len(text) <= LONGEST_TEXT else None


def _reads_back(text: str) -> bool:
    """Whether a text can be kept as it is: it is one line, and no JSON for anything else."""
    is_json = text in ("true", "false", "null") or (text[:1] == text[-1:] == '"')
    return not is_json and text.splitlines() == [text]


def shortened(value: object) -> str:
    """Return a value as an error shows it."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
