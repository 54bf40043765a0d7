"""Run trials in parallel: a full quota and an outage are waited out, and Ctrl-C stops everything."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import is_over_limit, is_passing
from mnist_tracking.errors import MnistTrackingError, ServiceError

T = TypeVar("T")
_GROWTH, _MOST = 1.5, 6.0  # of the pauses; the longest is a multiple of `Timing.poll_s`


class Cancelled(Exception):  # noqa: N818 - it is no error
    """Raised in a task that waits while nothing more is launched."""


class Scheduler:
    """
    Runs tasks, some at once, in threads that each take the next task when they are free.

    After an error, no further tasks start, the running ones end, and it is raised. Ctrl-C starts nothing more and calls
    *on_interrupt*, which should end the running tasks. A task that waits for another program calls `check` meanwhile.

    Args:
        account: Its `Timing` decides how long to wait.
        max_parallel: The number of tasks that run at once.
        on_interrupt: Called at Ctrl-C.
    """

    def __init__(self, account: Account, *, max_parallel: int, on_interrupt: Callable[[], None]) -> None:
        self._timing = account.timing
        self._max_parallel = max_parallel
        self._on_interrupt = on_interrupt
        self._is_cancelled = False
        self._busy = self._changes = 0
        self._news = threading.Condition()
        self._turn = threading.Lock()

    def run(self, take: Callable[[], Callable[[], object] | None]) -> None:
        """
        Run tasks to their end.

        Args:
            take: Returns the next task, or None if nothing is left: for now, while others run, after each of which and
                after `announce` it is called again, or for good. It is called from several threads.
        """
        with ThreadPoolExecutor(self._max_parallel, thread_name_prefix="sweep") as pool:
            try:
                futures = [pool.submit(self._work, take) for _ in range(self._max_parallel)]
                while wait(futures, timeout=0.5).not_done:
                    pass  # an interrupt is noticed between two waits
            except KeyboardInterrupt as interrupt:
                self._cancel()
                self._end_running(interrupt)
                raise
        for future in futures:
            future.result()

    def _work(self, take: Callable[[], Callable[[], object] | None]) -> None:
        try:
            while self._run_next(take):
                pass
        except Cancelled:
            return
        except BaseException:
            self._cancel()
            raise

    def _run_next(self, take: Callable[[], Callable[[], object] | None]) -> bool:
        """Run the next task, or wait until there may be one; return False if nothing is left to run."""
        self.check()
        with self._news:
            self._busy, before = self._busy + 1, self._changes
        task = None
        try:
            if task := take():
                task()
        finally:
            with self._news:
                self._busy, self._changes = self._busy - 1, self._changes + (task is not None)
                self._news.notify_all()  # a job has ended: the quota may allow another
        return task is not None or self._await_change(before)

    def _await_change(self, before: int) -> bool:
        """Wait for a task to end, or to announce more, and return True; False if none is running."""
        with self._news:
            while self._busy and self._changes == before and not self._is_cancelled:
                self._news.wait()
            return self._changes != before

    def announce(self) -> None:
        """Let idle threads look for tasks again: for a task that makes more of them before it has ended."""
        with self._news:
            self._changes += 1
            self._news.notify_all()

    def _cancel(self) -> None:
        self._is_cancelled = True
        with self._news:
            self._news.notify_all()

    def _end_running(self, interrupt: KeyboardInterrupt) -> None:
        """End the running tasks, even if Ctrl-C is pressed again meanwhile; they are waited for in any case."""
        try:
            try:
                self._on_interrupt()
            except KeyboardInterrupt:
                self._on_interrupt()
        except MnistTrackingError as error:  # the interrupt is the one to report
            interrupt.add_note(f"Jobs may still be running: {error}")

    def check(self) -> None:
        """Raise Cancelled after an error or Ctrl-C: for a task that waits for another program."""
        if self._is_cancelled:
            raise Cancelled

    def start(self, start: Callable[[], T]) -> T:
        """
        Return what *start*, which starts a job, returns, once the account's quota of running jobs allows it.

        One task waits for a full quota; the others wait behind it. After an error or Ctrl-C, nothing is started.
        """
        with self._turn:
            self.check()
        try:
            return start()
        except ServiceError as error:
            if not is_over_limit(error):
                raise
        pauses = self._pauses()
        with self._turn:
            while True:
                self._pause(next(pauses))
                try:
                    return start()
                except ServiceError as error:
                    if not is_over_limit(error):
                        raise

    def outliving(self, action: Callable[[], T]) -> T:
        """Return what *action* returns, repeating it after temporary errors, for `Timing.outage_s` in total."""
        pauses, left = self._pauses(), self._timing.outage_s
        while True:
            try:
                return action()
            except ServiceError as error:
                if left <= 0 or not is_passing(error):
                    raise
            pause = next(pauses)
            left -= pause
            self._pause(pause)

    def _pauses(self) -> Iterator[float]:
        longest = self._timing.poll_s
        while True:
            yield random.uniform(longest / 2, longest)  # noqa: S311 - so that programs do not call together
            longest = min(longest * _GROWTH, self._timing.poll_s * _MOST)

    def _pause(self, seconds: float) -> None:
        """Wait, until a task ends at the latest; raise Cancelled if nothing more is to be launched."""
        with self._news:
            if not self._is_cancelled:
                self._news.wait(seconds)
        self.check()
