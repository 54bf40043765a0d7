"""Find metric values in lines of a log, and in the files that scripts write."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen
class MetricValue:
    """One value of a metric."""

    name: str
    value: float
    timestamp: float | None = None
    step: int | None = None


class LogMetrics:
    """Metric definitions, applied to each line: the first group of the first match, if it is a number."""

    def __init__(self, definitions: list[dict[str, str]]) -> None:
        self._definitions = [(item["Name"], re.compile(item["Regex"])) for item in definitions]

    def find(self, line: str) -> Iterator[MetricValue]:
        for name, regex in self._definitions:
            match = regex.search(line)
            value = _number(match.group(1)) if match else None
            if value is not None:
                yield MetricValue(name, value)


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

    def find(self) -> Iterator[MetricValue]:
        for path in sorted(self._folder.glob("*.json")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # half a line: the script is still writing it
                    self._read[path] = self._read.get(path, 0) + len(line)
                    yield from _parse(line)


def _parse(line: bytes) -> Iterator[MetricValue]:
    try:
        told: dict[str, Any] = json.loads(line)
        value = MetricValue(
            told["MetricName"],
            float(told["Value"]),
            float(told["Timestamp"]),
            told.get("IterationNumber", told.get("Step")),
        )
    except (ValueError, KeyError, TypeError):
        return  # not a metric: SageMaker's own agent skips it too
    if math.isfinite(value.value):
        yield value
