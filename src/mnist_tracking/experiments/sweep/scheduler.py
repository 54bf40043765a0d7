"""Run trials in parallel: a full quota and an outage are waited out, and Ctrl-C stops everything."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
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
    Runs tasks, some at once, in threads.

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
        self._news = threading.Condition()
        self._turn = threading.Lock()

    def run(self, tasks: Sequence[Callable[[], T]]) -> list[T | None]:
        """Run tasks to their end, and return their results; None for each that was cancelled."""
        with ThreadPoolExecutor(self._max_parallel, thread_name_prefix="sweep") as pool:
            try:
                futures = [pool.submit(self._run, task) for task in tasks]
                while wait(futures, timeout=0.5).not_done:
                    pass  # an interrupt is noticed between two waits
            except KeyboardInterrupt as interrupt:
                self._cancel()
                self._end_running(interrupt)
                raise
        return [future.result() for future in futures]

    def _run(self, task: Callable[[], T]) -> T | None:
        try:
            self.check()
            return task()
        except Cancelled:
            return None
        except BaseException:
            self._cancel()
            raise
        finally:
            self._announce()  # a job has ended: the quota may allow another

    def _cancel(self) -> None:
        self._is_cancelled = True
        self._announce()

    def _announce(self) -> None:
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
