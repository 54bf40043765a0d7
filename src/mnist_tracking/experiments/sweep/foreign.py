"""Dimensions of other libraries: Optuna's distributions, and the parameters of SageMaker's own tuner."""

from typing import Any

from mnist_tracking._values.checks import is_instance
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.dimensions import Dimension, choice, integers, loguniform, uniform

__all__ = ["from_foreign"]

_OPTUNA, _SDK = "optuna.distributions", "sagemaker.parameter"
_LINEAR, _LOGARITHMIC = ("Auto", "Linear"), "Logarithmic"


def from_foreign(value: object) -> Dimension | None:
    """
    Return the dimension of a value that Optuna or SageMaker's SDK defines; None for any other value.

    Neither is imported: a program that has such a value has imported its library.

    Raises:
        ConfigError: If it has no equivalent.
    """
    if is_instance(value, _OPTUNA, "BaseDistribution"):
        return _from_optuna(value)
    return _from_sdk(value) if is_instance(value, _SDK, "ParameterRange") else None


def _from_optuna(given: Any) -> Dimension:
    if is_instance(given, _OPTUNA, "CategoricalDistribution"):
        return choice(given.choices)
    if is_instance(given, _OPTUNA, "IntDistribution"):
        return integers(given.low, given.high, step=given.step, log=given.log)
    if is_instance(given, _OPTUNA, "FloatDistribution"):
        return loguniform(given.low, given.high) if given.log else uniform(given.low, given.high, step=given.step)
    raise ConfigError(f"{given!r} is not supported; expected a float, an int or a categorical distribution.")


def _from_sdk(given: Any) -> Dimension:
    if is_instance(given, _SDK, "CategoricalParameter"):
        return choice(given.values)
    if given.scaling_type not in (*_LINEAR, _LOGARITHMIC):
        raise ConfigError(
            f"scaling_type={given.scaling_type!r} is not supported; expected {', '.join(map(repr, _LINEAR))} or "
            f"{_LOGARITHMIC!r}. Search 1 - x on a logarithmic scale instead, and compute x in the script."
        )
    is_log, low, high = given.scaling_type == _LOGARITHMIC, given.min_value, given.max_value
    if is_instance(given, _SDK, "IntegerParameter"):
        return integers(low, high, log=is_log)
    return loguniform(low, high) if is_log else uniform(low, high)
