"""A clock that runs ahead of this machine's as far as a test moves it."""

import time
from collections.abc import Callable

import attrs


@attrs.define
class Ahead:
    """
    The machine's time, and what a test adds to it.

    Attributes:
        seconds: How far it is ahead.
        is_busy: Returns whether something happens in real time; `sleep` then waits a moment, and moves nothing.
    """

    seconds: float = 0.0
    is_busy: Callable[[], bool] = lambda: False

    def __call__(self) -> float:
        return time.time() + self.seconds

    def sleep(self, seconds: float) -> None:
        """Move the clock instead of sleeping."""
        if self.is_busy():
            time.sleep(0.005)
        else:
            self.seconds += seconds
