"""Count the values of a metric that SageMaker keeps, which are finite numbers, and those that it drops."""

import math
from bisect import insort
from collections import Counter
from operator import itemgetter

from mnist_tracking._values.text import plural

LONGEST_TAIL = 20
"""How many of a metric's last values are kept, for statistics of them."""

_MOST_EXAMPLES = 3
_NOT_FINITE = "not finite"


class Tally:
    """
    The values of one metric so far.

    Attributes:
        name: The metric's name.
        last: The last value if it was not finite: ``"nan"``, ``"inf"`` or ``"-inf"``; otherwise empty.
        kept: The number of finite values.

    Example:
        >>> tally = Tally("loss")
        >>> [tally.add(value) for value in (0.5, math.nan)]
        [True, False]
        >>> tally.last, tally.tail, tally.dropped
        ('nan', (0.5,), "1 of 2 values of the metric 'loss' was dropped: 1 not finite (nan).")
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = ""
        self.kept = 0
        self._dropped: Counter[str] = Counter()
        self._examples: dict[str, dict[str, None]] = {}
        self._last_at = -math.inf
        self._tail: list[tuple[float, float]] = []  # times and finite values, in order of the times

    def add(self, value: float, when: float = 0.0) -> bool:
        """Count a number; return whether it is finite. The last value is the one with the latest time."""
        is_kept = math.isfinite(value)
        if when >= self._last_at:
            self._last_at, self.last = when, "" if is_kept else str(value)
        if is_kept:
            self.kept += 1
            insort(self._tail, (when, value), key=itemgetter(0))
            del self._tail[:-LONGEST_TAIL]
        else:
            self.drop(_NOT_FINITE, str(value))
        return is_kept

    @property
    def count(self) -> int:
        """The number of values, dropped ones included."""
        return self.kept + self._dropped.total()

    def drop(self, reason: str, example: str = "") -> None:
        """Count a value that is dropped for another reason."""
        self._dropped[reason] += 1
        examples = self._examples.setdefault(reason, {})
        if example and len(examples) < _MOST_EXAMPLES:
            examples[example] = None

    @property
    def tail(self) -> tuple[float, ...]:
        """The last finite values, the oldest first: at most `LONGEST_TAIL`."""
        return tuple(value for _, value in self._tail)

    @property
    def dropped(self) -> str:
        """How many values were dropped, and why; empty if none was."""
        if not self._dropped:
            return ""
        dropped, reasons = self._dropped.total(), ", ".join(map(self._shown, self._dropped))
        verb = "was" if dropped == 1 else "were"
        return f"{dropped} of {plural(self.count, 'value')} of the metric {self.name!r} {verb} dropped: {reasons}."

    def _shown(self, reason: str) -> str:
        examples = ", ".join(self._examples[reason])
        return f"{self._dropped[reason]} {reason}" + (f" ({examples})" if examples else "")
