"""
What can be recorded: the names and values of parameters and metrics, and how a trial component stores them.

A component stores finite numbers and strings only. Anything else is stored as JSON, and so is a string that looks like
JSON or like a number. `mnist_tracking._values.exact` preserves what its numbers lose. Standard library only: this
module travels with training jobs.
"""

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from numbers import Integral, Real
from typing import Any, Literal

from mnist_tracking._values.markers import RESERVED
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

#: The last step that SageMaker records.
LAST_STEP = 2**31 - 1

#: The media types that SageMaker allows, at most 64 characters.
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
_RESERVED: dict[Kind, tuple[str, ...]] = {
    "hyperparameter": ("sagemaker_", RESERVED),  # the first one begins the SDK's own
    "parameter": (RESERVED,),
}


def check_key(kind: Kind, name: object) -> str:
    """
    Check the name of a parameter, metric, input or output, and return it.

    Raises:
        ConfigError: If it is not a string, or is empty, too long, has several lines, or is reserved for the SDK or this
            library.
    """
    prefixes = _RESERVED.get(kind, ())
    is_taken = isinstance(name, str) and name.startswith(prefixes)
    if isinstance(name, str) and len(name) <= _LONGEST_KEY[kind] and name.splitlines() == [name] and not is_taken:
        return name
    own = f", without the prefix {' or '.join(map(repr, prefixes))}" if prefixes else ""
    raise ConfigError(
        f"The {kind} name {short_repr(name)} is not allowed: expected a string of 1 to {_LONGEST_KEY[kind]} characters "
        f"on one line{own}."
    )


ParameterValue = str | int | float | bool | None | list["ParameterValue"] | dict[str, "ParameterValue"]
"""The value of a parameter: a scalar, or a list or a mapping of values, which is stored as JSON."""
_MAX_STRING = 2500
_MAX_BITS = 8304  # of an integer with that many digits


def python_scalar(value: Any) -> Any:
    """Return a NumPy or torch scalar as a Python number; anything else unchanged."""
    item = getattr(value, "item", None)
    try:
        return item() if callable(item) else value
    except (TypeError, ValueError, RuntimeError):
        return value


def check_mapping(kind: Kind, values: object) -> None:
    """
    Check that parameters or hyperparameters are a mapping.

    Raises:
        ConfigError: If they are not.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"The {kind}s are {short_repr(values)}; expected a mapping, such as {{'epochs': 2}}.")


def plain_value(kind: Kind, name: str, value: object) -> ParameterValue:
    """
    Return the value of a parameter or hyperparameter as plain Python has it.

    NumPy and torch scalars become numbers, paths strings, tuples lists, and members of an enumeration their values.

    Raises:
        ConfigError: If the name is not allowed, or the value is of another type.
    """
    check_key(kind, name)
    found = _plain(value)
    match found:
        case None | bool() | str():
            return found
        case list():
            return [plain_value(kind, name, item) for item in found]
        case dict() if all(isinstance(key, str) for key in found):
            return {key: plain_value(kind, name, item) for key, item in found.items()}
        case Integral():
            if int(found).bit_length() > _MAX_BITS:
                raise ConfigError(
                    f"The {kind} {name!r} has more than {_MAX_STRING} digits; SageMaker stores at most {_MAX_STRING}."
                )
            return int(found)
        case Real():
            return float(found)
    raise _refusal(kind, name, value)


def recordable(kind: Kind, name: str, value: object) -> ParameterValue:
    """
    Return the value as `plain_value` does, checked against what SageMaker can store.

    Raises:
        ConfigError: If the value is of another type, not finite, too long, or text that cannot be sent.
    """
    found = plain_value(kind, name, value)
    if not _is_finite(found):
        raise _refusal(kind, name, value)
    written = json.dumps(found, ensure_ascii=False)
    if written != written.encode("utf-8", "replace").decode():
        raise ConfigError(f"The {kind} {name!r} is {short_repr(value)}, which is not valid Unicode.")
    if kind == "hyperparameter" and isinstance(found, str) and "\0" in found:
        raise ConfigError(f"The {kind} {name!r} is {short_repr(value)}; no argument of a program has a null character.")
    length = len(json.dumps(found) if kind == "hyperparameter" else str(stored_form(found)))
    if length > _MAX_STRING:
        raise ConfigError(f"The {kind} {name!r} has {length} characters; SageMaker stores at most {_MAX_STRING}.")
    return found


def _refusal(kind: Kind, name: str, value: object) -> ConfigError:
    return ConfigError(
        f"The {kind} {name!r} is {short_repr(value)} ({type(value).__name__}); expected a finite number, a "
        "string, a boolean, None, or a list or mapping of them."
    )


def _plain(value: Any) -> Any:
    """Return the plain form of a value, but not of what is in it; anything else unchanged."""
    match value:
        case Enum():
            return _plain(value.value)
        case os.PathLike():
            return os.fspath(value)
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
    return python_scalar(value)


def _is_finite(value: ParameterValue) -> bool:
    match value:
        case list():
            return all(map(_is_finite, value))
        case dict():
            return all(map(_is_finite, value.values()))
    return not isinstance(value, float) or math.isfinite(value)


def encode(value: ParameterValue) -> str | float | None:
    """
    Return a value in the form that a component stores; None if it cannot store it.

    Example:
        >>> encode(True), encode(0.1), encode("sgd"), encode("true"), encode("007")
        ('true', 0.1, 'sgd', '"true"', '"007"')
        >>> encode(math.inf) is None
        True
    """
    encoded = stored_form(value)
    is_stored = len(encoded) <= _MAX_STRING if isinstance(encoded, str) else math.isfinite(encoded)
    return encoded if is_stored else None


def stored_form(value: ParameterValue) -> str | float:
    """Return a value in the form that a component stores, even if it is too long or not finite."""
    match value:
        case None | bool() | list() | dict():
            return json.dumps(value)
        case str():
            return value if is_plain(value) else json.dumps(value)
    try:
        return float(value)
    except OverflowError:  # an integer beyond the range of floats
        return str(value)


def is_plain(text: str) -> bool:
    """Whether a string is stored as it is: on one line, and nothing that is stored for another value."""
    return text.splitlines() == [text] and not _is_ambiguous(text)


def _is_ambiguous(text: str) -> bool:
    """Whether a string could be another value, or a quoted string, or nothing."""
    is_json = text in ("true", "false", "null") or text[:1] == text[-1:] == '"'
    return not text or is_json or container_in(text) is not None or _is_like_number(text)


def container_in(text: str) -> list[ParameterValue] | dict[str, ParameterValue] | None:
    """
    Return the list or mapping that a string stores; None if it stores neither.

    Example:
        >>> container_in("[64, 128]"), container_in("[64,128]"), container_in("{0}")
        ([64, 128], None, None)
    """
    if not text.startswith(("[", "{")):
        return None
    try:
        found: list[ParameterValue] | dict[str, ParameterValue] = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if json.dumps(found) == text else None


def _is_like_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_text(value: ParameterValue) -> str:
    """
    Return a value as text that shows its type: a string that could be another value is in quotes.

    Example:
        >>> [as_text(value) for value in ("sgd", "2", 2, 2.0, True, None, "")]
        ['sgd', '"2"', '2', '2.0', 'true', 'null', '""']
    """
    is_bare = isinstance(value, str) and not _is_ambiguous(value)
    return str(value) if is_bare else json.dumps(value, ensure_ascii=False)


def same_value(one: ParameterValue, other: ParameterValue) -> bool:
    """
    Whether two values of a parameter are the same, as filters compare them: 2 and 2.0 are, True and 1 are not.

    Example:
        >>> same_value(2, 2.0), same_value(True, 1), same_value("2", 2), same_value("[2]", [2])
        (True, False, False, False)
        >>> same_value(2**60 + 1, 2.0**60)
        False
    """
    return comparable(one) == comparable(other)


def comparable(value: object) -> tuple[bool, object]:
    """Return a hashable that is equal for values that are the `same_value`."""
    is_container = isinstance(value, list | dict)  # which is not the same as a string of its JSON
    return isinstance(value, bool), (json.dumps(value, sort_keys=True),) if is_container else value


def comparable_items(values: Mapping[str, ParameterValue]) -> frozenset[tuple[str, object]]:
    """
    Return a hashable that is equal for mappings with the same values; that of a part of a mapping is a subset.

    Example:
        >>> comparable_items({"lr": 2, "depth": [1]}) == comparable_items({"depth": [1], "lr": 2.0})
        True
    """
    return frozenset((name, comparable(value)) for name, value in values.items())


def differing_names(every: Iterable[Mapping[str, ParameterValue]]) -> list[str]:
    """
    Return the parameters that are not the same in all of several configurations.

    Example:
        >>> differing_names([{"lr": 0.1, "depth": 2}, {"lr": 0.2, "depth": 2, "bias": None}])
        ['bias', 'lr']
    """
    listed = list(every)
    names = sorted({name for parameters in listed for name in parameters})
    return [name for name in names if len({(name in one, comparable(one.get(name))) for one in listed}) > 1]


def check_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """
    Return metrics as Python floats, which may be infinite or NaN.

    Raises:
        ConfigError: If they are not a mapping of names to numbers.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"The metrics are {short_repr(values)}; expected a mapping, such as {{'f1': 0.97}}.")
    return {check_key("metric", name): _number(name, value) for name, value in values.items()}


def check_step(step: object, *, most: int | None = None) -> int | None:
    """
    Check the step of a metric's value, and return it.

    Raises:
        ConfigError: If it is neither None nor an integer >= 0, or greater than *most*.
    """
    if step is None:
        return None
    if isinstance(step, bool) or not isinstance(step, Integral) or step < 0:
        raise ConfigError(f"step={short_repr(step)}; expected an integer >= 0.")
    if most is not None and int(step) > most:
        raise ConfigError(f"step={short_repr(step)}; SageMaker records steps up to {most}.")
    return int(step)


def _number(name: str, value: object) -> float:
    try:
        number = python_scalar(value)
        return float(number)
    except OverflowError:  # an integer beyond the range of floats
        return math.copysign(math.inf, number > 0 or -1)
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(
            f"The metric {name!r} is {short_repr(value)} ({type(value).__name__}), not a number; SageMaker "
            "records finite numbers only."
        ) from None


def metric_regex(name: str, *, any_float: bool = False) -> str:
    r"""
    Return the regular expression that finds the values of one metric, and no other, in what `log_metric` prints.

    Args:
        name: The metric.
        any_float: Whether to find infinite values and NaN, too, which SageMaker does not record.

    Example:
        >>> metric_regex("validation:accuracy")
        'metric "validation:accuracy"=([-+.0-9e]+)(?: step=\\d+)?;'
    """
    number = "[-+.0-9a-z]+" if any_float else "[-+.0-9e]+"
    return rf"metric {re.escape(json.dumps(name))}=({number})(?: step=\d+)?;"
