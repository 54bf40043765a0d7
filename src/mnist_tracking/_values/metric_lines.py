"""
Find the values of metrics in the lines of a log: one search, for the service that records them and for its clients.

SageMaker searches every line for the regular expression of each metric, and records the first group of the first match
if it is a finite number. What it drops is counted here, with the reason.
"""

import re
import time
from collections.abc import Iterator, Mapping

import attrs
import regex

from mnist_tracking._values.epochs import Place
from mnist_tracking._values.recordable import metric_regex
from mnist_tracking._values.tally import Tally
from mnist_tracking._values.text import last_redraw as last_redraw
from mnist_tracking._values.text import plural, redraws, short_repr

__all__ = ["LogSearch", "LoggedValue", "compile_regex", "last_redraw"]

NOTE = "mnist-tracking: "
"""How the notes in a log begin that are about its metrics; they are no output of a script, and are not searched."""

_FIRST_S = 1.0  # CPU time that a metric may take for all of its lines,
_PER_KIB_S = 0.00025  # plus this for every KiB of every line that it has begun
_LONGEST, _LONGEST_WORD = 1 << 18, 1 << 12  # bytes of a log event, and of a word that is not cut in two
_STEP = re.compile(r" step=(\d+);")  # behind the value, where `mnist_tracking.job.log_metric` prints it
_BRACE = re.compile(r"(?<!\\)((?:\\\\)*)\{(?!\d*,?\d*\})")  # a plain brace, which begins a fuzzy match in `regex`
_REST = re.compile(r"(?:[0-9]|\.[0-9]|,[0-9]{3}(?![0-9])|[eE][-+]?[0-9])[-+.,0-9eE]*")  # what continues a number


def compile_regex(text: str) -> "regex.Pattern[str]":
    """
    Compile the regular expression of a metric, so that a search can be given up.

    Raises:
        ValueError: If it does not compile.
    """
    try:
        re.compile(text)
        return regex.compile(_BRACE.sub(r"\1\\{", text), regex.V0)
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{error}") from None


@attrs.frozen
class LoggedValue:
    """
    A finite value of a metric, and its step.

    The step is the one that `mnist_tracking.job.log_metric` has printed behind the value; otherwise the epoch that the
    script printed last, on the same line or before it; without epochs the step that it printed last; without steps the
    number of values of that metric so far.
    """

    name: str
    value: float
    step: int


class LogSearch:
    r"""
    Searches the lines of a log for the metrics of a job.

    A line in which a progress bar was redrawn, with ``\r``, counts as several. A regular expression with catastrophic
    backtracking cannot stop the search: each metric may take a second of CPU time, and a quarter of a millisecond
    more for every KiB that was logged. A line that takes longer is skipped, and the lines after it are searched.

    Args:
        regexes: A regular expression for each metric.
        first_s: The CPU time that each metric may take besides that.

    Attributes:
        place: The epoch or the step that the script has reached.
    """

    def __init__(self, regexes: Mapping[str, str], *, first_s: float = _FIRST_S) -> None:
        self._searches = [_MetricSearch(name, text, first_s) for name, text in regexes.items()]
        self.place = Place()

    def find(self, line: str, when: float = 0.0) -> Iterator[LoggedValue]:
        """Yield the finite values in a line that was logged at a time, in seconds since the epoch."""
        if line.startswith(NOTE):
            return
        parts = redraws(line)
        is_cut = len(line) * 4 >= _LONGEST and len(line.encode()) >= _LONGEST - _LONGEST_WORD
        for number, part in enumerate(parts, 1):
            is_open = is_cut and number == len(parts) and line.endswith(part)
            self.place.read(part)
            for search in self._searches:
                if found := search.find(part, when, self.place.step, is_open=is_open):
                    yield found

    @property
    def non_finite(self) -> dict[str, str]:
        """The metrics whose last value was not finite, and that value: ``"nan"``, ``"inf"`` or ``"-inf"``."""
        return {search.name: search.tally.last for search in self._searches if search.tally.last}

    @property
    def kept(self) -> dict[str, int]:
        """The number of finite values of each metric."""
        return {search.name: search.tally.kept for search in self._searches}

    @property
    def tails(self) -> dict[str, tuple[float, ...]]:
        """The last finite values of each metric, the oldest first."""
        return {search.name: search.tally.tail for search in self._searches}

    @property
    def dropped(self) -> dict[str, str]:
        """What was dropped of each metric, and why, in words; without the metrics that have all of their values."""
        return {search.name: text for search in self._searches if (text := " ".join(search.sentences()))}


class _MetricSearch:
    """The search for one metric, and what it has found so far."""

    def __init__(self, name: str, text: str, first_s: float) -> None:
        self.name = name
        self.tally = Tally(name)
        self._text, self._regex = text, _compiled(name, text)
        self._left_s = self._first_s = first_s
        self._too_long = self._in_part = 0
        self._part = ""

    def find(self, line: str, when: float, place: int | None, *, is_open: bool) -> LoggedValue | None:
        """Return the finite value in a line, whose end may be missing; count what is dropped."""
        match = self._match(line)
        if match is None:
            return None
        text, end = match.group(1) or "", match.end(1)
        value = _number(text)
        if value is None:
            self.tally.drop("not a number", short_repr(text))
        elif is_open and end == len(line):
            self.tally.drop("cut off at the end of a line")
        elif self.tally.add(value, when):
            self._compare(text, line, end)
            logged, counted = _STEP.match(line, end), self.tally.count if place is None else place
            return LoggedValue(self.name, value, int(logged[1]) if logged else counted)
        return None

    def _match(self, line: str) -> "regex.Match[str] | None":
        if self._regex is None:
            return None
        self._left_s = min(self._left_s + _PER_KIB_S * (1 + (len(line) >> 10)), self._first_s)
        began = time.thread_time()
        try:
            return self._regex.search(line, timeout=self._left_s)
        except TimeoutError:
            self._too_long += 1
            return None
        finally:
            self._left_s = max(self._left_s - (time.thread_time() - began), 0.0)

    def _compare(self, text: str, line: str, end: int) -> None:
        """Notice a number that continues behind what was captured of it."""
        if rest := _REST.match(line, end):
            self._in_part += 1
            self._part = self._part or f"{text!r} of {text + rest.group().rstrip('.,')!r}"

    def sentences(self) -> Iterator[str]:
        """Yield what a reader of the values should know."""
        expression = f"The regular expression {short_repr(self._text)} of the metric {self.name!r}"
        if self._regex is None:
            yield f"{expression} does not compile in Python, so its values are not read from the log."
        if dropped := self.tally.dropped:
            yield dropped
        if self._too_long:
            yield f"{expression} took too long for {plural(self._too_long, 'line')}, not searched to the end."
        if self._part:
            yield f"{expression} captures only a part of the number in {plural(self._in_part, 'line')} ({self._part})."


def _compiled(name: str, text: str) -> "regex.Pattern[str] | None":
    try:
        return compile_regex(metric_regex(name, any_float=True) if text == metric_regex(name) else text)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    """Return a captured number, which may be infinite or NaN; None if it is no number."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
