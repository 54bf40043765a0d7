"""The values of metrics and their steps, checked. Standard library only: this module travels with training jobs."""

import math
from collections.abc import Mapping
from numbers import Integral

from mnist_tracking._values.checks import check_key
from mnist_tracking._values.recordable import plain
from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError

__all__ = ["check_finite", "check_metrics", "check_step"]


def check_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """
    Return metrics as Python's own numbers, which may be infinite or not a number (NaN).

    Raises:
        ConfigError: If they are no mapping of names to numbers.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"The metrics are {shortened(values)}; give a mapping, such as {{'f1': 0.97}}.")
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
        raise ConfigError(f"step={shortened(step)}; steps are whole numbers from 0.")
    return int(step)


def _number(name: str, value: object) -> float:
    try:
        return float(plain(value))
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise ConfigError(
            f"The metric {name!r} is {shortened(value)} ({type(value).__name__}), which is no number; SageMaker "
            "records finite numbers only."
        ) from None
