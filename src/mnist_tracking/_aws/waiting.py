"""The one loop that polls, and the one place that sleeps."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from mnist_tracking._aws.account import Account

T = TypeVar("T")
_FIRST_PAUSE_S, _GROWTH = 0.02, 1.3


def polls(account: Account, *, timeout_s: float | None = None, longest_s: float | None = None) -> Iterator[None]:
    """
    Yield whenever it is time to look, at once and then after growing pauses; end when *timeout_s* is over.

    Args:
        account: Says how to sleep, and how long at most (`Timing.poll_s`).
        timeout_s: End after this many seconds, but never before a first look; None never ends.
        longest_s: A shorter limit for the pauses.
    """
    begun = account.clock()
    longest = min(account.timing.poll_s, longest_s or account.timing.poll_s)
    pause = min(_FIRST_PAUSE_S, longest)
    while True:
        yield
        if timeout_s is not None and account.clock() - begun > timeout_s:
            return
        account.sleep(pause)
        pause = min(pause * _GROWTH, longest)


def until(
    account: Account,
    look: Callable[[], T | None],
    *,
    timeout_s: float | None,
    timeout: Callable[[], Exception],
    longest_s: float | None = None,
) -> T:
    """
    Return the first value of *look* that is not None, polling as `polls` does.

    Raises:
        Exception: What *timeout* returns, if there is no value within *timeout_s*.
    """
    for _ in polls(account, timeout_s=timeout_s, longest_s=longest_s):
        found = look()
        if found is not None:
            return found
    raise timeout()
