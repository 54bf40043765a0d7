"""What becomes of the loop's events: log lines, from which SageMaker reads metrics."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from mnist_tracking.training.loop import BatchEnd, EpochEnd, Observer, Score, Snapshot

__all__ = ["LogLines", "Several"]


class LogLines:
    """
    Writes one line per fact, in the form that the metrics' regular expressions find, at full precision.

    A ``Train Loss`` is always the mean of the epoch so far; so the last one of an epoch is the epoch's own.
    """

    def __init__(self, stream: TextIO, *, interval: int) -> None:
        self._stream, self._interval = stream, interval

    def on_batch(self, event: BatchEnd) -> None:
        if event.step % self._interval and event.seen < event.total:
            return
        share = 100 * event.seen // event.total
        self._write(f"Train Epoch: {event.epoch} [{event.seen}/{event.total} ({share}%)], Train Loss: {event.loss!r};")

    def on_epoch(self, event: EpochEnd, _snapshot: Snapshot) -> None:
        self._write(_line("Validation", event.validation))

    def on_test(self, score: Score) -> None:
        self._write(_line("Test", score))

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def _line(what: str, score: Score) -> str:
    return f"{what} Average loss: {score.loss!r}, {what} Accuracy: {score.accuracy!r}%;"


class Several:
    """Tells several observers, in turn."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def on_batch(self, event: BatchEnd) -> None:
        for observer in self._observers:
            observer.on_batch(event)

    def on_epoch(self, event: EpochEnd, snapshot: Snapshot) -> None:
        for observer in self._observers:
            observer.on_epoch(event, snapshot)

    def on_test(self, score: Score) -> None:
        for observer in self._observers:
            observer.on_test(score)


if TYPE_CHECKING:
    import sys

    _log: Observer = LogLines(sys.stdout, interval=1)
    _several: Observer = Several([])
