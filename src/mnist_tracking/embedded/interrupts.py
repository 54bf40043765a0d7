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
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_LOOK_S = 0.05
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
        while not self.has_ended(_LOOK_S):
            pass  # a signal that comes just before Python begins to wait does not wake it

    def has_ended(self, timeout_s: float) -> bool:
        """Wait for some time, and return whether it has ended."""
        return self._ended.acquire(timeout=timeout_s)


class _Worker:
    """A thread that runs the functions of the main thread, one at a time, until it is told to stop."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
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


class _Workers:
    """The worker of this process; a new one takes the place of one whose task was interrupted."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)
        atexit.register(self.finish)

    def forget(self) -> None:
        self._worker: _Worker | None = None
        self._interrupted: list[_Task] = []

    def run(self, function: Callable[[], R]) -> R:
        worker = self._worker = self._worker or _Worker()
        task = _Task(function)
        try:
            worker.tasks.put(task)
            task.wait()
        except BaseException:
            self._worker = None
            self._interrupted = [task]
            worker.tasks.put(None)
            raise
        try:
            if task.error is not None:
                raise task.error
            result: R = task.result
            return result
        finally:
            del task  # the error refers to this frame

    def finish(self) -> None:
        for task in self._interrupted:
            task.has_ended(_FINISH_S)


_workers = _Workers()


def uninterrupted(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function so that an interrupt does not end it halfway; see above."""
    if threading.get_ident() != threading.main_thread().ident:
        return function(*args, **kwargs)
    return _workers.run(lambda: function(*args, **kwargs))
