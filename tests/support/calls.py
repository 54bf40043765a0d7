"""Stop a program after each of its calls that changes something: by SIGKILL or by Ctrl-C."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.model import OperationModel

from mnist_tracking.embedded import transport

_READS = ("Describe", "List", "Get", "Head", "Search", "BatchGet")


@contextmanager
def after_call(number: int, act: Callable[[], object]) -> Iterator[list[str]]:
    """Act after the call of that number that changes something has been answered; yield the calls up to it."""
    calls: list[str] = []

    def observe(model: OperationModel, _response: object) -> None:
        if not model.name.startswith(_READS) and len(calls) <= number:
            calls.append(model.name)
            if len(calls) == number + 1:
                act()

    transport.response_observers.append(observe)
    try:
        yield calls
    finally:
        transport.response_observers.remove(observe)


def killed_after(number: int, operation: Callable[[], object]) -> bool:
    """Run an operation in a process that is killed after the call of that number; whether there were so many."""
    child = os.fork()
    if child == 0:
        try:
            with after_call(number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
                operation()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def interrupted_after(number: int, operation: Callable[[], object]) -> list[str]:
    """Run an operation, with Ctrl-C after the call of that number; return the calls up to it."""
    with after_call(number, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)) as calls:
        try:
            operation()
        except KeyboardInterrupt:
            assert len(calls) == number + 1
    return calls
