"""
Interrupts, neither lost nor handled twice.

Python drops a KeyboardInterrupt that arrives while a destructor or a callback of the garbage collector runs. So the
signal is recorded as well, and `check` raises it at the next step. Some programs, such as ``timeout``, send a signal
twice in a row; the second must not interrupt the cleanup that the first one started.
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
    Handle SIGTERM and SIGHUP like Ctrl-C. Signals that this process was started to ignore stay ignored.

    Args:
        clock: Returns seconds. A signal within half a second of the one before is its echo, and ignored.
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
    """Ignore further signals: the process is about to exit."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def check() -> None:
    """
    Raise an interrupt that Python dropped.

    Raises:
        KeyboardInterrupt: Once for all signals since the last call.
    """
    if _pending:
        _pending.clear()
        raise KeyboardInterrupt
