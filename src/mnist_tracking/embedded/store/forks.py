"""
Keeps forks and uses of SQLite apart.

A process that is forked without ``exec`` inherits SQLite's own record of the locks in the process, and its mutexes, as
they are at that moment. If another thread is in a transaction, the child finds the database locked for ever.
"""

import os
import threading
import time

_LONGEST_WAIT_S = 10.0


class _Gate:
    """Lets any number of threads use SQLite, or one fork."""

    def __init__(self) -> None:
        self._start()
        os.register_at_fork(before=self._close, after_in_parent=self._open, after_in_child=self._start)

    def _start(self) -> None:
        self._changed = threading.Condition()
        self._users = self._forks = 0
        self._own = threading.local()

    def enter(self) -> None:
        """Begin to use SQLite, when no thread forks; a thread that uses it already does not wait."""
        with self._changed:
            while not self.try_enter():
                self._changed.wait()

    def try_enter(self) -> bool:
        """Begin to use SQLite unless a thread forks."""
        own = getattr(self._own, "count", 0)
        with self._changed:
            if self._forks > 0 and not own:
                return False
            self._users += 1
        self._own.count = own + 1
        return True

    def leave(self) -> None:
        """End a use, unless it began in the process that this one was forked from."""
        own = getattr(self._own, "count", 0)
        if not own:
            return
        self._own.count = own - 1
        with self._changed:
            self._users -= 1
            if self._forks > 0:
                self._changed.notify_all()

    def _close(self) -> None:
        """Wait until no other thread uses SQLite; for a while only, since a fork must not hang."""
        own, deadline = getattr(self._own, "count", 0), time.monotonic() + _LONGEST_WAIT_S
        with self._changed:
            self._forks += 1
            while self._users > own and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def _open(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()


gate = _Gate()
"""The gate of this process."""
