"""
Statistics of a few values: the mean and its confidence interval, and which of several groups are worse than the best.

The base installation has no SciPy, whose wheel is 35 MB for two functions; the tests compare these with SciPy's.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import fmean, stdev

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05


def deviation(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation (n - 1); None for fewer than two values."""
    return stdev(values) if len(values) > 1 else None


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """
    Return the 95 % confidence interval of the mean, by Student's t-distribution; None for fewer than two values.

    Example:
        >>> low, high = interval([1.0, 2.0, 3.0])
        >>> round(low, 4), round(high, 4)
        (-0.4841, 4.4841)
    """
    spread = deviation(values)
    if spread is None:
        return None
    half = t_quantile(len(values) - 1) * spread / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """
    Return the two-sided p-value of Welch's t-test, for two groups of at least two values whose variances may differ.

    For two groups that do not vary at all, it is 1 if they are equal, and 0 if not.

    Example:
        >>> round(welch([1.0, 2.0, 3.0], [4.0, 5.0, 7.0]), 4)
        0.0419
    """
    parts = [(deviation(values) or 0.0) ** 2 / len(values) for values in (one, other)]
    difference, total = fmean(one) - fmean(other), math.fsum(parts)
    if not total:
        return float(not difference)
    freedom = total**2 / math.fsum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (one, other), strict=True)
    )
    return t_two_sided(difference / math.sqrt(total), freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """
    Return p-values adjusted for their number by Holm's method, in the same order.

    Example:
        >>> holm([0.04, 0.01, 0.5])
        [0.08, 0.03, 0.5]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    scaled = (min(1.0, (len(order) - rank) * p_values[place]) for rank, place in enumerate(order))
    adjusted = dict(zip(order, accumulate(scaled, max), strict=True))
    return [adjusted[place] for place in range(len(p_values))]


def t_two_sided(t: float, freedom: float) -> float:
    """Return the probability that Student's t is at least as far from zero."""
    square = t * t
    return _incomplete_beta(freedom / (freedom + square), square / (freedom + square), freedom / 2, 0.5)


@lru_cache(maxsize=1024)
def t_quantile(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Return the value that Student's t stays below, on both sides of zero, with this probability."""
    low, high = 0.0, 1.0
    while t_two_sided(high, freedom) > 1 - confidence:
        low, high = high, high * 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if t_two_sided(middle, freedom) > 1 - confidence else (low, middle)
    return high


def _incomplete_beta(x: float, rest: float, a: float, b: float) -> float:
    """
    Return the regularised incomplete beta function of *x*, given also ``1 - x``, which loses digits near one.

    By its continued fraction: https://dlmf.nist.gov/8.17.E22, evaluated by Lentz's method.
    """
    if not x or not rest:
        return float(not rest)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges faster for the other tail
        return 1.0 - _incomplete_beta(rest, x, b, a)
    scale = a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    value, upper, lower = 1.0, 1.0, 0.0
    for term in _terms(x, a, b):
        lower = 1.0 / (1.0 + term * lower)
        upper = 1.0 + term / upper
        value *= upper * lower
        if abs(upper * lower - 1.0) < 1e-16:
            break
    return math.exp(scale) / (a * value)


def _terms(x: float, a: float, b: float) -> Iterator[float]:
    """Yield the terms of the continued fraction, which is ``1 + d1 / (1 + d2 / (1 + ...))``."""
    for m in range(1000):
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        yield (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2))
