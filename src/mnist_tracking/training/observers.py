"""What becomes of a run's events: lines of a log, a bar on a terminal, SageMaker's metrics file, JSON lines."""

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
    Writes one line per fact, in the form that the metrics' regular expressions find, at full precision.

    A ``Train Loss`` is always the mean of the epoch so far; so the last one of an epoch is the epoch's own.

    Args:
        stream: Where to.
        every_step: Whether progress within an epoch is written; without it, its last line alone.
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
    """Draws how far an epoch is, in one line of a terminal, which is wiped when the epoch is done."""

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
    Writes the metrics file of a SageMaker job: those metrics that the log's regular expressions do not find.

    These are ``train:accuracy`` after each epoch and ``test:accuracy:0`` to ``test:accuracy:9``, one for each digit.
    The file is the one that ``smexperiments`` would write, ``<process>.json``; SageMaker reads it while the job runs.

    Args:
        directory: What ``SAGEMAKER_METRICS_DIRECTORY`` says; made if need be.

    Raises:
        ConfigError: If it cannot be written to, which a run should know before its first epoch.
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
    Writes every event to a file, as one JSON object per line: what it is, when, and all of its values.

    The file holds one run, and each event once. Of a run that is interrupted and goes on, what came after the
    checkpoint is dropped, since it comes again; an uninterrupted run would have left the same but for the times.

    Args:
        path: Its folder is made if need be.
        after: Where the run goes on: after so many epochs, and so many steps of the next one.

    Raises:
        ConfigError: If it cannot be written.
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
    """Return the lines of events up to *place*; a line that was cut short ends them."""
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
