"""Dimensions as JSON and YAML have them, in the shape of a sweep file's ``parameters``."""

from collections.abc import Mapping
from typing import Any

from mnist_tracking.experiments.sweep.dimensions import Choice, Dimension, Fixed, Integers, Uniform, choice

__all__ = ["from_parameter", "to_parameter"]


def to_parameter(dimension: Dimension) -> dict[str, Any]:
    """
    Return a dimension as a JSON object, which `from_parameter` reads.

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


def from_parameter(parameter: Mapping[str, Any]) -> Dimension:
    """Return the dimension that `to_parameter` wrote."""
    if "value" in parameter:
        return Fixed(parameter["value"])
    if "values" in parameter:
        return choice(parameter["values"])
    low, high, step = parameter["min"], parameter["max"], parameter.get("step")
    if parameter["distribution"] == "int_uniform":
        return Integers(low, high, step=step or 1, log=parameter.get("log", False))
    return Uniform(low, high, log=parameter["distribution"] == "log_uniform_values", step=step)
