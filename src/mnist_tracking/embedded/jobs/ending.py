"""How a job is made to end before its scripts do: by StopTrainingJob, or by its limit of time."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_LONGEST_S = 1e9  # of a timer


class EndedEarly(BaseException):
    """The job must end: whatever is being copied is given up."""


class Ending:
    """
    Listens to SIGTERM, by which a job is stopped, and has the kernel send SIGALRM when its time is over.

    Either calls *on_end*, once, and interrupts the main thread if it is in an `interruptible` block.

    Attributes:
        reason: ``"Stopped"`` or ``"MaxRuntimeExceeded"``, whichever was first; None until then.
    """

    def __init__(self, on_end: Callable[[], object]) -> None:
        self._on_end = on_end
        self._grace_s: float | None = None  # of the block that the main thread is in
        self.reason: str | None = None
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGALRM, self._on_signal)

    def limit(self, seconds: float) -> None:
        """End the job after that time."""
        signal.setitimer(signal.ITIMER_REAL, min(seconds, _LONGEST_S))

    def stop(self) -> None:
        """End the job as stopped."""
        self._end("Stopped")

    @contextmanager
    def interruptible(self, *, grace_s: float = 0.0) -> Iterator[None]:
        """
        Interrupt the block when the job ends, or when *grace_s* have passed since then or since the block began.

        Raises:
            EndedEarly: If it was interrupted.
        """
        self._grace_s = grace_s
        try:
            if self.reason:
                self._begin_grace(grace_s)
            yield
        finally:
            self._grace_s = None

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self._end("Stopped")
        elif self.reason is None:
            self._end("MaxRuntimeExceeded")
        elif self._grace_s is not None:
            raise EndedEarly

    def _end(self, reason: str) -> None:
        if self.reason is not None:
            return
        self.reason = reason
        self._on_end()
        if self._grace_s is not None:
            self._begin_grace(self._grace_s)

    def _begin_grace(self, seconds: float) -> None:
        if not seconds:
            raise EndedEarly
        self.limit(seconds)
