"""What becomes of a run's events: log lines, from which SageMaker reads metrics."""

from typing import TYPE_CHECKING, TextIO

from mnist_tracking.training.events import EpochEnd, Evaluation, Observer, Progress, Score

__all__ = ["LogLines"]


class LogLines:
    """
    Writes one line per fact, in the form that the metrics' regular expressions find, at full precision.

    A ``Train Loss`` is always the mean of the epoch so far; so the last one of an epoch is the epoch's own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def on_progress(self, event: Progress) -> None:
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


if TYPE_CHECKING:
    import sys

    _log: Observer = LogLines(sys.stdout)
