"""Metric values in the lines of a log, and in files that scripts write."""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from mnist_tracking._values.metric_lines import LogSearch
from mnist_tracking.embedded.disk import json_files, open_regular

Lines = list[tuple[float, str]]
"""Lines of a log, each with its time in seconds since the epoch."""

_LAST_TIMESTAMP = 2.0**32  # seconds; later values are not seconds since the epoch
_LARGEST_STEP = 2**31
_LONGEST_NAME = 255
_LONGEST_LINE = 1 << 16  # bytes of a metric file; a longer line is no metric


@attrs.frozen
class MetricValue:
    """One value of a metric; the timestamp is in seconds since the epoch."""

    name: str
    value: float
    timestamp: float
    step: int | None = None


def log_values(search: LogSearch, lines: Lines) -> list[MetricValue]:
    """Return the values in lines; as in SageMaker, they have no steps."""
    return [MetricValue(found.name, found.value, when) for when, line in lines for found in search.find(line, when)]


class FileMetrics:
    """The JSON lines below ``SAGEMAKER_METRICS_DIRECTORY``; each is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}

    def find(self, *, is_last: bool = False) -> Iterator[MetricValue]:
        """Yield new values. An incomplete line is left for the next time, unless this is the last one."""
        for path in json_files(self._folder):
            with contextlib.suppress(OSError):
                if stream := open_regular(path):
                    with stream:
                        yield from self._new(path, stream, is_last)

    def _new(self, path: Path, stream: BinaryIO, is_last: bool) -> Iterator[MetricValue]:
        stream.seek(self._read.get(path, 0))
        while line := stream.readline(_LONGEST_LINE):
            if not line.endswith(b"\n") and len(line) < _LONGEST_LINE and not is_last:
                return  # the script is still writing it
            self._read[path] = self._read.get(path, 0) + len(line)
            yield from _parse(line)


def _parse(line: bytes) -> Iterator[MetricValue]:
    """Yield the value of a line. Invalid lines are skipped, as by SageMaker's own agent."""
    try:
        fields: dict[str, Any] = json.loads(line)
        name, value, timestamp = fields["MetricName"], float(fields["Value"]), float(fields["Timestamp"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return
    if isinstance(name, str) and _is_name(name) and math.isfinite(value) and 0 <= timestamp < _LAST_TIMESTAMP:
        yield MetricValue(name, value, timestamp, _step(fields.get("IterationNumber", fields.get("Step"))))


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _step(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < _LARGEST_STEP else None
