"""
Interrupts that are not lost.

Python drops a KeyboardInterrupt that arrives while a destructor or a callback of the garbage collector runs. So the
signal is remembered too, and `check` raises it at the next step.
"""

import signal
from types import FrameType

__all__ = ["check", "ignore", "listen"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_pending: list[int] = []


def listen() -> None:
    """Take a request to end (SIGTERM, SIGHUP) for Ctrl-C. Signals that this process was told to ignore stay ignored."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)


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


def _on_signal(number: int, _frame: FrameType | None) -> None:
    _pending.append(number)
    raise KeyboardInterrupt
