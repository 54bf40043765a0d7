"""The one loop that waits."""

from collections.abc import Callable

import attrs


@attrs.frozen
class Waiter:
    """
    Waits for conditions, by a clock and a sleep that can be replaced.

    Attributes:
        clock: Returns the time in seconds.
        sleep: Sleeps for a number of seconds.
        poll_s: How long to sleep between two checks.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    poll_s: float

    def until(self, condition: Callable[[], object], *, timeout_s: float) -> bool:
        """Wait until a condition holds; return False if it does not within *timeout_s* seconds."""
        deadline = self.clock() + timeout_s
        while not condition():
            if self.clock() >= deadline:
                return False
            self.sleep(self.poll_s)
        return True
