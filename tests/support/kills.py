"""Kill a process at each step of what it does: before each call into the operating system or SQLite, in turn."""

import contextlib
import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

_MODULES = ("posix", "fcntl", "sqlite3", "_sqlite3")


def kill_at_each_step(act: Callable[[int], object], check: Callable[[int], object], *, stride: int = 1) -> int:
    """
    Run a function in forked processes, each killed some steps later than the one before, until one gets to its end.

    Args:
        act: The function, called with the number of the step.
        check: Called after each kill with that number; a true result ends the series.
        stride: How many steps later the next process is killed.

    Returns:
        How many processes were killed.
    """
    kills = 0
    for step in itertools.count(1, stride):
        if not kill_once(partial(act, step), step):
            break
        kills += 1
        if check(step):
            break
    return kills


def kill_once(act: Callable[[], object], step: int) -> bool:
    """Run a function in a forked process that is killed at a step; return whether it was, before it got to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            left = step

            def count(_frame: FrameType, event: str, function: Any) -> None:
                nonlocal left
                if event == "c_call" and _module_of(function) in _MODULES:
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.setprofile(count)
            act()
            status = 0
        except BaseException:  # noqa: BLE001 - the child must never go on with its parent's tests
            traceback.print_exc()
        finally:
            os._exit(status)
    found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert found in (0, -signal.SIGKILL)
    return found != 0


def _module_of(function: Any) -> str | None:
    found = getattr(function, "__module__", None)
    if found is None:
        with contextlib.suppress(AttributeError):
            found = type(function.__self__).__module__
    return found
