"""
Interrupts that are not lost, and not taken twice.

Python drops a KeyboardInterrupt that arrives while a destructor or a callback of the garbage collector runs. So the
signal is remembered too, and `check` raises it at the next step. The command ``timeout``, for one, sends its signal
twice at once; the second must not break off the cleaning up that the first began.
"""

import signal
import time
from collections.abc import Callable
from types import FrameType

__all__ = ["check", "ignore", "listen"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ECHO_S = 0.5
_pending: list[int] = []


def listen(clock: Callable[[], float] = time.monotonic) -> None:
    """
    Take a request to end (SIGTERM, SIGHUP) for Ctrl-C. Signals that this process was told to ignore stay ignored.

    Args:
        clock: Gives seconds; what comes within half a second of the one before is taken for its echo.
    """
    latest = float("-inf")

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal latest
        is_echo, latest = clock() - latest < _ECHO_S, clock()
        if not is_echo:
            _pending.append(number)
            raise KeyboardInterrupt

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)


def ignore() -> None:
    """Let nothing break off what is left to do, which is to exit."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def check() -> None:
    """
    Raise an interrupt that came and was dropped.

    Raises:
        KeyboardInterrupt: Once for all that came since the last time.
    """
    if _pending:
        _pending.clear()
        raise KeyboardInterrupt
