"""The values that a trial of a sweep reported while it ran, as one parameter of its component."""

from collections.abc import Mapping

__all__ = ["pack_values", "unpack_values"]

_KEPT = 16  # of the first and of the last values, whatever is left out


def pack_values(values: Mapping[int, float], most: int) -> str:
    """
    Return the values of one metric, by step, as text of at most *most* characters: ``step:value`` for each.

    If they do not fit, they are shortened to the seven digits that SageMaker keeps of a metric. Then values are left
    out from the middle: those whose step is not a multiple of 2, of 4 and so on, so that trials of different lengths
    keep the same steps. The first and the last 16 values stay.

    Example:
        >>> pack_values({step: 1 / step for step in (1, 2, 3)}, 2500)
        '1:1.0 2:0.5 3:0.3333333333333333'
    """
    exact = _packed({step: repr(value) for step, value in values.items()})
    if len(exact) <= most:
        return exact
    short = {step: f"{value:.7g}" for step, value in values.items()}
    ends = {*list(short)[:_KEPT], *list(short)[-_KEPT:]}
    stride = 1
    while len(packed := _packed({n: text for n, text in short.items() if n in ends or n % stride == 0})) > most:
        stride *= 2
    return packed


def _packed(values: Mapping[int, str]) -> str:
    return " ".join(f"{step}:{text}" for step, text in values.items())


def unpack_values(text: str) -> dict[int, float]:
    """
    Return the values by step.

    Example:
        >>> unpack_values("1:1.0 2:0.5")
        {1: 1.0, 2: 0.5}
    """
    pairs = (item.split(":") for item in text.split())
    return {int(step): float(value) for step, value in pairs}
