"""Decide when to write a checkpoint: after each epoch, at an optional interval, and when a signal stops the run."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from mnist_tracking.errors import StoppedError
from mnist_tracking.training.checkpoint import CheckpointFolder
from mnist_tracking.training.epoch import Checkpointer
from mnist_tracking.training.process_group import ALONE, ProcessGroup

__all__ = ["FolderCheckpointer", "StopRequest", "noted_signals"]

_AGREE_EVERY = 50  # steps; agreeing costs several processes an exchange


class StopRequest:
    """
    A pending request to stop the run.

    Attributes:
        signal: Name of the received signal, such as ``"SIGTERM"``; None if no signal was received.
    """

    def __init__(self) -> None:
        self.signal: str | None = None


@contextmanager
def noted_signals() -> Iterator[StopRequest]:
    """
    Record the first SIGTERM or SIGINT, so that a checkpointer can stop the run between two steps.

    A second signal is handled as before entering the block. Call it from the main thread only.
    """
    request = StopRequest()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal = signal.Signals(number).name
        restore()

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield request
    finally:
        restore()


class FolderCheckpointer:
    """
    Writes checkpoints to a folder: after each epoch, and at an interval within an epoch.

    Args:
        folder: The checkpoint folder.
        interval_s: Seconds between checkpoints within an epoch; 0 disables them.
        stop: When it holds a signal, the checkpointer writes a checkpoint and raises `StoppedError`, in all processes
            of the group.
        group: The processes that train together; the first one writes.
        clock: Returns the current time, in seconds.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        *,
        interval_s: float,
        stop: StopRequest | None = None,
        group: ProcessGroup = ALONE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._interval_s, self._group, self._clock = folder, interval_s, group, clock
        self._stop = stop or StopRequest()
        self._written_at, self._steps = clock(), 0

    def after_step(self, take: Callable[[], dict[str, Any]]) -> None:
        self._steps += 1
        if self._group.size > 1 and self._steps % _AGREE_EVERY:
            return
        due = bool(self._interval_s) and self._clock() - self._written_at >= self._interval_s
        if self._group.largest(due or self._stop.signal is not None):
            self._write(take())

    def after_epoch(self, take: Callable[[], dict[str, Any]]) -> None:
        self._write(take())

    def _write(self, state: dict[str, Any]) -> None:
        if self._group.rank == 0:
            self._folder.write(state)
        self._written_at = self._clock()
        if number := self._group.largest(signal.Signals[self._stop.signal] if self._stop.signal else 0):
            raise StoppedError(signal.Signals(number).name, _moment(state))


def _moment(state: dict[str, Any]) -> str:
    done, step = len(state["epochs"]), state["step"]
    return f"step {step} of epoch {done + 1}" if step else f"epoch {done}"


if TYPE_CHECKING:
    _: Checkpointer = FolderCheckpointer(CheckpointFolder.__new__(CheckpointFolder), interval_s=0)
