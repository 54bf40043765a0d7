"""Call a function for several items in parallel. Clients slow all threads down together when AWS throttles them."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from mnist_tracking.errors import MnistTrackingError

T = TypeVar("T")
R = TypeVar("R")
_MOST_READS = 4  # at once


def for_each(
    act: Callable[[T], R], items: Iterable[T], done: Callable[[T, R | MnistTrackingError], None], *, max_parallel: int
) -> None:
    """
    Call *act* for each item in threads, and *done* with each outcome in this thread.

    An error of this library is an outcome. Any other exception, one raised by *done*, and a keyboard interrupt are
    raised after the calls in progress have ended; no further calls are made.
    """
    with ThreadPoolExecutor(max_parallel, thread_name_prefix="cleanup") as pool:
        futures = {pool.submit(act, item): item for item in items}
        try:
            for future in as_completed(futures):
                error = future.exception()
                done(futures[future], error if isinstance(error, MnistTrackingError) else future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def results(act: Callable[[T], R], items: Iterable[T]) -> dict[T, R]:
    """Return the result of *act* for each item; the first error is raised."""
    found: dict[T, R] = {}

    def keep(item: T, outcome: R | MnistTrackingError) -> None:
        if isinstance(outcome, MnistTrackingError):
            raise outcome
        found[item] = outcome

    for_each(act, items, keep, max_parallel=_MOST_READS)
    return found
