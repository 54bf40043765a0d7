"""
Functions that no interrupt can cut in two.

Python runs signal handlers in the main thread only, between any two of its instructions: Ctrl-C, the stop button of a
notebook and an alarm may raise there between a BEGIN, a lock, a process or a rename and the ``try`` that undoes it. So
what the main thread calls runs in a thread of its own, while the main thread waits. An interrupt reaches the caller at
once, and the function ends by itself in the background, as a request in flight does on AWS. The calls of other threads,
which no handler interrupts, run where they are.
"""

import _thread
import atexit
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_LOOK_S = 0.05
_ORDER_S = 10.0
_FINISH_S = 1.0  # how long the end of the program waits for an interrupted function


class _Task:
    """One function to run, and what became of it."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self._run = run
        self._ended = _thread.allocate_lock()
        self._ended.acquire()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._run()
        except BaseException as error:  # noqa: BLE001 - raised where the function was called
            self.error = error
        finally:
            self._ended.release()

    def wait(self) -> None:
        """Wait until it has ended; in the main thread, a signal handler may run and raise."""
        while not self._ended.acquire(timeout=_LOOK_S):
            pass  # a signal that comes just before Python begins to wait does not wake it


class _Worker:
    """A thread that runs the functions of the main thread, one at a time, until it gets None."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self.has_ended = threading.Event()
        _thread.start_new_thread(self._start, ())  # a Thread that is interrupted while it starts is neither off nor on

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="mnist-tracking-calls", daemon=True).start()
        except RuntimeError:  # no more threads: this one will do
            self._work()

    def _work(self) -> None:
        while (task := self.tasks.get()) is not None:
            task.run()
            del task  # what it refers to is not kept until the next one
        self.has_ended.set()


class _Workers:
    """The worker of this process; a new one takes the place of one whose task was interrupted."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)
        atexit.register(self.finish)

    def forget(self) -> None:
        self._worker: _Worker | None = None
        self._interrupted: list[_Worker] = []

    def run(self, function: Callable[[], R], *, is_ordered: bool) -> R:
        self._let_finish(_ORDER_S)
        worker = self._worker = self._worker or _Worker()
        task = _Task(function)
        try:
            worker.tasks.put(task)
            task.wait()
        except BaseException:
            worker.tasks.put(None)
            self._worker = None
            if is_ordered:
                self._interrupted.append(worker)
            raise
        try:
            if task.error is not None:
                raise task.error
            result: R = task.result
            return result
        finally:
            del task  # the error refers to this frame

    def _let_finish(self, timeout_s: float) -> None:
        """Wait for interrupted functions, which would otherwise overtake what is called after them."""
        deadline = time.monotonic() + timeout_s
        while self._interrupted and time.monotonic() < deadline:
            if self._interrupted[0].has_ended.wait(_LOOK_S):
                self._interrupted.pop(0)
        self._interrupted.clear()

    def finish(self) -> None:
        self._let_finish(_FINISH_S)


_workers = _Workers()


def uninterrupted(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """
    Call a function so that an interrupt does not end it halfway; see above.

    What the main thread calls next is not run before the interrupted function has ended, so that no older write follows
    a newer one; for ten seconds at most.
    """
    return _run(True, function, *args, **kwargs)


def uninterrupted_read(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that changes nothing, such as a prediction, as `uninterrupted` does; nothing waits for it."""
    return _run(False, function, *args, **kwargs)


def _run(is_ordered: bool, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    if threading.get_ident() != threading.main_thread().ident:
        return function(*args, **kwargs)
    return _workers.run(lambda: function(*args, **kwargs), is_ordered=is_ordered)
