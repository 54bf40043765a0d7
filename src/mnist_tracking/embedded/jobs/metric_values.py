"""Find metric values in lines of a log, and in the files that scripts write."""

import contextlib
import json
import math
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import attrs

Lines = list[tuple[float, str]]
"""Lines of a log, each with its time in seconds since the epoch."""

_LAST_TIMESTAMP = 2.0**32  # seconds; what is later is no time in seconds since the epoch
_LARGEST_STEP = 2**31


@attrs.frozen
class MetricValue:
    """One value of a metric; the timestamp is in seconds since the epoch."""

    name: str
    value: float
    timestamp: float
    step: int | None = None


class LogMetrics:
    """
    Metric definitions, applied to each line: the first group of the first match, if it is a number.

    A regex that backtracks without end would keep its job from ever ending. The first time that one takes too long,
    it is given up and *warn* is told. A timer's signal does it, which only the main thread gets.
    """

    def __init__(self, definitions: list[dict[str, str]], *, limit_s: float, warn: Callable[[str], object]) -> None:
        self._definitions = [(item["Name"], re.compile(item["Regex"])) for item in definitions]
        self._limit_s = limit_s
        self._warn = warn

    def find(self, lines: Lines) -> list[MetricValue]:
        """Return the values that lines tell."""
        before = signal.signal(signal.SIGVTALRM, _time_out)
        try:
            return [value for when, line in lines for value in self._find(line, when)]
        finally:
            signal.signal(signal.SIGVTALRM, before)

    def _find(self, line: str, when: float) -> Iterator[MetricValue]:
        for name, regex in tuple(self._definitions):
            try:
                value = _number(self._search(regex, line))
            except TimeoutError:
                self._definitions.remove((name, regex))
                self._warn(f"The regex of metric {name} takes too long; no more values are looked for: {regex.pattern}")
            else:
                if value is not None:
                    yield MetricValue(name, value, when)

    def _search(self, regex: re.Pattern[str], line: str) -> str | None:
        signal.setitimer(signal.ITIMER_VIRTUAL, self._limit_s)
        try:
            match = regex.search(line)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return match.group(1) if match else None


def _time_out(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class FileMetrics:
    """The JSON lines below ``SAGEMAKER_METRICS_DIRECTORY``, read on from where the last reading ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}

    def find(self, *, is_last: bool = False) -> Iterator[MetricValue]:
        """Yield what is new. Half a line is left for the next time, unless this is the last one."""
        for path in sorted(path for path in self._folder.glob("*.json") if path.is_file()):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                for line in file:
                    if not line.endswith(b"\n") and not is_last:
                        break  # the script is still writing it
                    self._read[path] = self._read.get(path, 0) + len(line)
                    yield from _parse(line)


def _parse(line: bytes) -> Iterator[MetricValue]:
    """Yield the value that a line tells; SageMaker's own agent skips what is none, too."""
    try:
        told: dict[str, Any] = json.loads(line)
        name, value, timestamp = told["MetricName"], float(told["Value"]), float(told["Timestamp"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return
    if isinstance(name, str) and math.isfinite(value) and 0 <= timestamp < _LAST_TIMESTAMP:
        yield MetricValue(name, value, timestamp, _step(told.get("IterationNumber", told.get("Step"))))


def _step(told: object) -> int | None:
    return told if isinstance(told, int) and 0 <= told < _LARGEST_STEP else None
