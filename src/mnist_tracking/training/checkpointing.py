"""When a checkpoint is written: after each epoch, every few seconds if asked, and when the program is told to end."""

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

_AGREE_EVERY = 50  # steps; several processes must agree, which takes them a message


class StopRequest:
    """
    Whether the program was told to end.

    Attributes:
        signal: The name of the signal that said so, such as ``"SIGTERM"``; None if there was none.
    """

    def __init__(self) -> None:
        self.signal: str | None = None


@contextmanager
def noted_signals() -> Iterator[StopRequest]:
    """
    Note the first SIGTERM or SIGINT instead of obeying it, for a checkpointer to obey between two steps.

    A second one is obeyed at once, as it was before. For the main thread alone, as signals are.
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
    Writes a checkpoint after each epoch, and when one is due within an epoch.

    Args:
        folder: Where to.
        interval_s: Seconds between two within an epoch; 0 for none.
        stop: Told to end, it writes one and ends the run with `StoppedError`; all processes, if one is told.
        group: The processes that train together; the first one writes, all of them end.
        clock: Gives seconds.
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
