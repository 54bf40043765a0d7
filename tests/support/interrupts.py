"""Interrupt the main thread, as Ctrl-C or the stop button of a notebook does, at any moment."""

import signal
from collections.abc import Callable
from types import FrameType


class Interrupt(Exception):  # noqa: N818 - it is no error
    """What the signal handler raises."""


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise Interrupt


def is_interrupted(block: Callable[[], object], *, after_s: float) -> bool:
    """Run a function, and interrupt it after some time; return whether that happened before it ended."""
    before = signal.signal(signal.SIGALRM, _raise)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, after_s)
            block()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Interrupt:
        return True
    finally:
        signal.signal(signal.SIGALRM, before)
    return False
