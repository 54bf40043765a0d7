"""Sparklines: the shape of a series of numbers, in a line of text."""

import math
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["ASCII_BARS", "BARS", "Curve", "bars_for", "sparkline"]

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = ".:-=+*#@"
"""Bars for a stream that cannot encode the others, from the lowest to the highest."""


def bars_for(encoding: str | None) -> str:
    """
    Return the bars that a stream of that encoding can show.

    Example:
        >>> bars_for("utf-8"), bars_for("latin-1"), bars_for(None)
        ('▁▂▃▄▅▆▇█', '.:-=+*#@', '.:-=+*#@')
    """
    try:
        BARS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_BARS
    return BARS


def sparkline(values: Iterable[float], width: int = 16, *, bars: str = BARS) -> str:
    """
    Draw values as bars from the lowest to the highest.

    If there are more values than *width*, each bar is the mean of several consecutive ones. A value that is not finite
    is a gap. Values that are all equal are drawn at half height.

    Example:
        >>> sparkline([1, 2, 3, 4]), sparkline([2, float("nan"), 2]), sparkline(range(100), 8), sparkline([])
        ('▁▃▆█', '▄ ▄', '▁▂▃▄▅▆▇█', '')
    """
    points = list(_means(list(values), width))
    halves = [point / 2 for point in points if math.isfinite(point)]  # the difference of two halves is always finite
    low, high = min(halves, default=0.0), max(halves, default=0.0)
    return "".join(_bar(point / 2, low, high, bars) if math.isfinite(point) else " " for point in points)


def _bar(half: float, low: float, high: float, bars: str) -> str:
    top = len(bars) - 1
    return bars[round((half - low) / (high - low) * top)] if high > low else bars[top // 2]


def _means(values: Sequence[float], width: int) -> Iterator[float]:
    """Yield at most *width* means of consecutive values, NaN for values of which none is finite."""
    count = min(len(values), width)
    for place in range(count):
        part = values[place * len(values) // count : (place + 1) * len(values) // count]
        finite = [value for value in part if math.isfinite(value)]
        yield math.fsum(value / len(finite) for value in finite) if finite else math.nan


class Curve:
    """
    The shape of a series of any length, in bounded memory: the means of runs of consecutive values.

    Args:
        most: How many means to keep at most, an even number. Once there are more, neighbours are merged.

    Example:
        >>> curve = Curve(most=4)
        >>> for value in (1, 3, 5, 7, 9):
        ...     curve.add(value)
        >>> list(curve)
        [2.0, 6.0, 9.0]
    """

    def __init__(self, most: int = 32) -> None:
        self._most, self._each = most, 1
        self._means: list[float] = []
        self._mean, self._count = 0.0, 0

    def __iter__(self) -> Iterator[float]:
        yield from self._means
        if self._count:
            yield self._mean

    def add(self, value: float) -> None:
        """Add the next value of the series."""
        self._count += 1
        self._mean += value / self._count - self._mean / self._count
        if self._count < self._each:
            return
        self._means.append(self._mean)
        self._mean, self._count = 0.0, 0
        if len(self._means) == self._most:
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means = [one / 2 + other / 2 for one, other in pairs]
            self._each *= 2
