"""Find metric values in lines of a log, and in the files that scripts write."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

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
    """Metric definitions, applied to each line: the first group of the first match, if it is a number."""

    def __init__(self, definitions: list[dict[str, str]]) -> None:
        self._definitions = [(item["Name"], re.compile(item["Regex"])) for item in definitions]

    def find(self, line: str, when: float) -> Iterator[MetricValue]:
        for name, regex in self._definitions:
            match = regex.search(line)
            value = _number(match.group(1)) if match else None
            if value is not None:
                yield MetricValue(name, value, when)


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
        for path in sorted(self._folder.glob("*.json")):
            with path.open("rb") as file:
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
    except (ValueError, KeyError, TypeError, OverflowError):
        return
    if isinstance(name, str) and math.isfinite(value) and 0 <= timestamp < _LAST_TIMESTAMP:
        yield MetricValue(name, value, timestamp, _step(told.get("IterationNumber", told.get("Step"))))


def _step(told: object) -> int | None:
    return told if isinstance(told, int) and 0 <= told < _LARGEST_STEP else None
