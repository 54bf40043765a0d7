"""What Optuna logs and warns of, on standard error: dropped where a study is an implementation detail."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what Optuna logs in this thread, on standard error unless the program has changed that."""
    thread, handlers = threading.get_ident(), list(logging.getLogger("optuna").handlers)

    def is_of_another(record: logging.LogRecord) -> bool:
        return record.thread != thread

    for handler in handlers:
        handler.addFilter(is_of_another)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_of_another)


@contextmanager
def experimental() -> Iterator[None]:
    """Drop the warning that something of Optuna is experimental, while it is made."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is (an )?experimental")
        yield
