"""Dimensions as JSON and YAML have them, in the shape that Weights & Biases gives the parameters of a sweep file."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from mnist_tracking._values.text import did_you_mean
from mnist_tracking.experiments.sweep.conditions import when
from mnist_tracking.experiments.sweep.dimensions import (
    Choice,
    Dimension,
    Fixed,
    Integers,
    choice,
    fixed,
    integers,
    loguniform,
    uniform,
)
from mnist_tracking.experiments.sweep.document import Section

__all__ = ["from_leaf", "from_parameters", "to_parameter"]

_UNSUPPORTED = {
    "beta": "has no equivalent",
    "categorical_w_probabilities": "has no equivalent, since all values are equally likely",
    "inv_log_uniform": "has no equivalent: search 1/x, and invert it in the script",
    "inv_log_uniform_values": "has no equivalent: search 1/x, and invert it in the script",
    "log_normal": "has no limits: write log_uniform_values, with min and max",
    "normal": "has no limits: write uniform, with min and max",
    "q_beta": "has no equivalent",
    "q_log_normal": "has no limits: write log_uniform_values, with min and max",
    "q_normal": "has no limits: write q_uniform, with min, max and q",
}
_LIKELIHOOD = {"probabilities": "not supported, since all values of a choice are equally likely."}


def to_parameter(dimension: Dimension) -> dict[str, Any]:
    """
    Return a dimension as a JSON object, which `from_leaf` reads.

    Example:
        >>> to_parameter(Integers(2, 8)), to_parameter(Choice(("sgd", "adam")))
        ({'distribution': 'int_uniform', 'min': 2, 'max': 8}, {'values': ['sgd', 'adam']})
    """
    match dimension:
        case Fixed():
            return {"value": dimension.value}
        case Choice():
            return {"values": list(dimension.values)}
        case Integers():
            steps = {} if dimension.step == 1 else {"step": dimension.step}
            scale = {"log": True} if dimension.log else {}
            return {"distribution": "int_uniform", "min": dimension.low, "max": dimension.high, **steps, **scale}
    kind = "log_uniform_values" if dimension.log else "uniform"
    found = {"distribution": kind, "min": dimension.low, "max": dimension.high}
    return found if dimension.step is None else {**found, "step": dimension.step}


def from_parameters(parameters: Section) -> dict[str, object]:
    """
    Return what `Space.of` reads, from the parameters of a sweep file: dimensions, nested parameters and conditions.

    Raises:
        ConfigError: If a key is missing, unknown or not supported, or a value is wrong; the message names its place.
    """
    found = {}
    for name, value in parameters.values.items():
        if not isinstance(value, Mapping):
            key = "values" if isinstance(value, list) else "value"
            raise parameters.error(f"expected keys and values, such as {key}: {value}.", name)
        found[name] = _from_parameter(parameters.section(name))
    return found


def _from_parameter(parameter: Section) -> object:
    if "parameters" in parameter.values:
        parameter.check_keys(("parameters", "when"))
        found: object = from_parameters(parameter.section("parameters"))
    else:
        found = from_leaf(parameter)
    if "when" in parameter.values:
        for name, condition in parameter.section("when").values.items():
            found = when(name, condition, found)
    return found


def from_leaf(parameter: Section) -> Dimension:
    """
    Return the dimension of a parameter that is not nested, whatever its conditions.

    Raises:
        ConfigError: If a key is missing, unknown or not supported, or a value is wrong; the message names its place.
    """
    return _listed(parameter) if parameter.values.keys() & {"value", "values"} else _ranged(parameter)


def _listed(parameter: Section) -> Dimension:
    key, kind = ("value", "constant") if "value" in parameter.values else ("values", "categorical")
    parameter.check_keys((key, "distribution", "when"), _LIKELIHOOD)
    _check_distribution(parameter, (kind,), kind)
    if key == "value":
        return fixed(parameter.values[key])
    with parameter.at(key):
        return choice(parameter.values[key])


def _ranged(parameter: Section) -> Dimension:
    values = parameter.values
    is_whole = all(type(values.get(key)) is int for key in ("min", "max"))
    kind = values.get("distribution", "int_uniform" if is_whole else "uniform")
    _check_distribution(parameter, _RANGES, kind)
    if "min" not in values and "max" not in values:
        raise parameter.error("expected value, values, min and max, or parameters.")
    known, make = _RANGES[kind]
    parameter.check_keys(("min", "max", "distribution", "when", *known))
    low, high = parameter.number("min"), parameter.number("max")
    if low > high:
        raise parameter.error(f"it is above max, which is {high}.", "min")
    with parameter.at():
        return make(parameter, low, high)


def _check_distribution(parameter: Section, allowed: Mapping[str, object] | tuple[str, ...], kind: object) -> None:
    given = parameter.values.get("distribution", kind)
    if given in allowed:
        return
    if given in _UNSUPPORTED:
        raise parameter.error(f"the distribution {given!r} {_UNSUPPORTED[given]}.", "distribution")
    raise parameter.error(
        f"{given!r}; expected one of {', '.join(sorted(allowed))}.{did_you_mean(str(given), allowed)}", "distribution"
    )


def _uniform(parameter: Section, low: float, high: float) -> Dimension:
    return uniform(low, high, step=parameter.values.get("step"))


def _integers(parameter: Section, low: Any, high: Any) -> Dimension:
    return integers(low, high, step=parameter.values.get("step", 1), log=parameter.values.get("log", False))


def _log_uniform_values(parameter: Section, low: float, high: float) -> Dimension:
    if low <= 0:
        raise parameter.error("expected a number > 0, since the range is logarithmic.", "min")
    return loguniform(low, high)


def _log_uniform(parameter: Section, low: float, high: float) -> Dimension:
    return loguniform(_power(parameter, low), _power(parameter, high))


def _power(parameter: Section, exponent: float) -> float:
    try:
        return math.exp(exponent)
    except OverflowError:
        raise parameter.error(
            f"log_uniform takes exponents, and e**{exponent} is too large. Write log_uniform_values for the values.",
            "distribution",
        ) from None


def _q_uniform(parameter: Section, low: float, high: float) -> Dimension:
    """Return the multiples of q next to the values of the range."""
    q = _q(parameter)
    first, last = round(low / q), round(high / q)
    if all(isinstance(each, int) for each in (q, low, high)):
        return integers(int(first * q), int(last * q), step=int(q))
    exact = Decimal(repr(q))
    return uniform(float(first * exact), float(last * exact), step=q)


def _q_log_uniform_values(parameter: Section, low: float, high: float) -> Dimension:
    """Return the multiples of q next to the values of the range, as Weights & Biases rounds them."""
    q = _q(parameter)
    if q != int(q):
        raise parameter.error(f"{q}; expected an integer, since the range is logarithmic.", "q")
    first, last = (max(round(end / q), 1) for end in (low, high))
    return integers(first * int(q), last * int(q), step=int(q), log=True)


def _q_log_uniform(parameter: Section, low: float, high: float) -> Dimension:
    return _q_log_uniform_values(parameter, _power(parameter, low), _power(parameter, high))


def _q(parameter: Section) -> float:
    found = parameter.number("q") if "q" in parameter.values else 1
    if found <= 0:
        raise parameter.error(f"{found}; expected a number > 0.", "q")
    return found


_RANGES: Mapping[str, tuple[tuple[str, ...], Callable[[Section, float, float], Dimension]]] = {
    "int_uniform": (("step", "log"), _integers),
    "log_uniform": ((), _log_uniform),
    "log_uniform_values": ((), _log_uniform_values),
    "q_log_uniform": (("q",), _q_log_uniform),
    "q_log_uniform_values": (("q",), _q_log_uniform_values),
    "q_uniform": (("q",), _q_uniform),
    "uniform": (("step",), _uniform),
}
"""The keys of each distribution besides its ends, and what makes its dimension."""
