"""Observers of a training run: log lines, a progress bar, SageMaker's metrics file, and JSON lines."""

import dataclasses
import itertools
import json
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mnist_tracking.training.events import EpochEnd, Evaluation, Observer, Progress, Score
from mnist_tracking.training.files import append, check_writable, write_atomically

__all__ = ["JsonLines", "LogLines", "MetricsFile", "ProgressBar"]

_WIDTH = 30


class LogLines:
    """
    Writes log lines at full precision, in the format that the metrics' regular expressions match.

    ``Train Loss`` is always the mean of the epoch so far, so the last value of an epoch is that of the whole epoch.

    Args:
        stream: Output stream.
        every_step: Whether to write progress within an epoch; if false, only the last line of each epoch.
    """

    def __init__(self, stream: TextIO, *, every_step: bool = True) -> None:
        self._stream, self._every_step = stream, every_step

    def on_progress(self, event: Progress) -> None:
        if not self._every_step and event.seen < event.total:
            return
        share = 100 * event.seen // event.total
        self._write(f"Train Epoch: {event.epoch} [{event.seen}/{event.total} ({share}%)], Train Loss: {event.loss!r};")

    def on_epoch(self, event: EpochEnd) -> None:
        self._write(_line("Validation", event.validation))

    def on_test(self, evaluation: Evaluation) -> None:
        self._write(_line("Test", evaluation.score))

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def _line(what: str, score: Score) -> str:
    return f"{what} Average loss: {score.loss!r}, {what} Accuracy: {score.accuracy!r}%;"


class ProgressBar:
    """Draws the progress of an epoch in one line of a terminal, and clears it at the end of the epoch."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def on_progress(self, event: Progress) -> None:
        if event.seen == event.total:
            return self._write("\r\x1b[K")
        done = _WIDTH * event.seen // event.total
        bar = "#" * done + "-" * (_WIDTH - done)
        share = f"{100 * event.seen // event.total:3} %"
        return self._write(f"\r\x1b[Kepoch {event.epoch}/{event.epochs} [{bar}] {share}, loss {event.loss:.4f}")

    def on_epoch(self, event: EpochEnd) -> None:
        """Draw nothing."""

    def on_test(self, evaluation: Evaluation) -> None:
        """Draw nothing."""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class MetricsFile:
    """
    Writes metrics that are not in the log to the metrics file of a SageMaker job.

    These are ``train:accuracy`` after each epoch, and ``test:accuracy:0`` to ``test:accuracy:9``, one per digit. The
    file ``<process>.json`` has the format of ``smexperiments``; SageMaker reads it while the job runs.

    Args:
        directory: The value of ``SAGEMAKER_METRICS_DIRECTORY``; created if missing.

    Raises:
        ConfigError: If the directory is not writable, so that a run fails before its first epoch.
    """

    def __init__(self, directory: Path) -> None:
        check_writable(Path(directory))
        self._path = Path(directory) / f"{os.getpid()}.json"

    def on_progress(self, event: Progress) -> None:
        """Write nothing."""

    def on_epoch(self, event: EpochEnd) -> None:
        self._write({"train:accuracy": event.train.accuracy}, step=event.epoch)

    def on_test(self, evaluation: Evaluation) -> None:
        shares = enumerate(evaluation.class_accuracy)
        self._write({f"test:accuracy:{digit}": share for digit, share in shares if share is not None}, step=None)

    def _write(self, values: dict[str, float], *, step: int | None) -> None:
        told = {"Timestamp": time.time(), **({} if step is None else {"IterationNumber": step})}
        lines = (json.dumps({"MetricName": name, "Value": value, **told}) + "\n" for name, value in values.items())
        append("".join(lines), self._path)


class JsonLines:
    """
    Writes every event to a file, as one JSON object per line with its kind, time and values.

    The file contains one run, and each event once. When a run resumes, events after the checkpoint are dropped, since
    they occur again; apart from the times, the file equals that of an uninterrupted run.

    Args:
        path: The file; its folder is created if missing.
        after: Where the run resumes: the number of completed epochs, and of steps in the next one.

    Raises:
        ConfigError: If the file cannot be written.
    """

    def __init__(self, path: Path, *, after: tuple[int, int] = (0, 0)) -> None:
        self._path = Path(path)
        write_atomically("".join(_lines_until(after, self._path)).encode(), self._path)

    def on_progress(self, event: Progress) -> None:
        self._write("progress", dataclasses.asdict(event))

    def on_epoch(self, event: EpochEnd) -> None:
        self._write("epoch", dataclasses.asdict(event))

    def on_test(self, evaluation: Evaluation) -> None:
        self._write("test", dataclasses.asdict(evaluation))

    def _write(self, event: str, values: dict[str, object]) -> None:
        append(json.dumps({"event": event, "time": time.time(), **values}) + "\n", self._path)


def _lines_until(place: tuple[int, int], path: Path) -> list[str]:
    """Return the lines of events up to *place*, stopping at a truncated line."""
    if place == (0, 0) or not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return list(itertools.takewhile(lambda line: line.endswith("\n") and _place(json.loads(line)) <= place, lines))


def _place(event: dict[str, Any]) -> tuple[float, int]:
    if event["event"] == "progress":
        return event["epoch"] - 1, event["step"]
    return (event["epoch"], 0) if event["event"] == "epoch" else (math.inf, 0)


if TYPE_CHECKING:
    import sys

    _log: Observer = LogLines(sys.stdout)
    _bar: Observer = ProgressBar(sys.stderr)
    _metrics: Observer = MetricsFile(Path())
    _lines: Observer = JsonLines(Path())
