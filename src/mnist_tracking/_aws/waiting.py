"""Polling: the only loop that waits for AWS, and the only sleep."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from mnist_tracking._aws.account import Account

_GROWTH = 1.3


def is_settled(account: Account, ended: datetime | None) -> bool:
    """Whether something ended so long ago that nothing more will arrive; true without a time."""
    return ended is None or (datetime.now(UTC) - ended).total_seconds() > account.timing.settled_within_s


class Polling:
    """
    Times a loop that polls: its body runs at once, and again after each pause, until the time is up.

    The body always runs at least once, and once more when the time is up. A program that stops early leaves the loop.

    Args:
        account: Its ``sleep``, ``clock`` and ``timing`` are used.
        timeout_s: End after this many seconds; None never ends.
        pause_s: Pause this long each time, or `Timing.poll_s` if that is shorter. By default, pauses grow from
            `Timing.first_poll_s` to `Timing.poll_s`.

    Example:
        >>> workspace = Workspace.embedded()
        >>> for _ in Polling(workspace, timeout_s=0.0):
        ...     print("once")
        once
        >>> workspace.close()
    """

    def __init__(self, account: Account, *, timeout_s: float | None = None, pause_s: float | None = None) -> None:
        self._account = account
        self._timeout_s = timeout_s
        timing = account.timing
        self._longest = timing.poll_s if pause_s is None else min(pause_s, timing.poll_s)
        self._pause = min(timing.first_poll_s, timing.poll_s) if pause_s is None else self._longest
        self._jitter = timing.jitter

    def __iter__(self) -> Iterator[None]:
        account, begun = self._account, self._account.clock()
        while True:
            yield
            left = None if self._timeout_s is None else self._timeout_s - (account.clock() - begun)
            if left is not None and left <= 0:
                return
            pause = self._pause * random.uniform(1 - self._jitter, 1 + self._jitter)  # noqa: S311 - no secret
            account.sleep(pause if left is None else min(pause, left))
            self._pause = min(self._pause * _GROWTH, self._longest)
