"""The log of Optuna, which goes to standard error: silent where a study is an implementation detail."""

import logging
import threading
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
