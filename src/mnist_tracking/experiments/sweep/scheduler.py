"""Run trials in parallel, wait out exhausted quotas, and stop everything on Ctrl-C."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from mnist_tracking._aws.errors import is_over_limit
from mnist_tracking._values.records import Scalar
from mnist_tracking.errors import JobFailedError, ServiceError

RunOne = Callable[[Mapping[str, Scalar]], object]


def run_all(
    run_one: RunOne,
    points: Sequence[Mapping[str, Scalar]],
    *,
    max_parallel: int,
    pause_s: float,
    on_interrupt: Callable[[], None],
) -> None:
    """
    Call *run_one* for every point, at most *max_parallel* at once.

    A failed trial does not stop the others. An exhausted quota (ResourceLimitExceeded) is waited out. Any other error
    launches no further trials, lets the running ones end, and is raised. Ctrl-C launches nothing more and calls
    *on_interrupt*, which should end the running trials.
    """
    cancelled = threading.Event()
    with ThreadPoolExecutor(max_parallel, thread_name_prefix="sweep") as pool:
        try:
            futures = [pool.submit(_run_point, run_one, point, cancelled, pause_s) for point in points]
            while wait(futures, timeout=0.5).not_done:
                pass  # an interrupt is noticed between two waits
        except KeyboardInterrupt:
            cancelled.set()
            _insist(on_interrupt)
            raise
    for future in futures:
        future.result()


def _insist(stop: Callable[[], None]) -> None:
    """Stop the trials even if Ctrl-C is pressed again meanwhile; their threads are waited for in any case."""
    try:
        stop()
    except KeyboardInterrupt:
        stop()


def _run_point(run_one: RunOne, point: Mapping[str, Scalar], cancelled: threading.Event, pause_s: float) -> None:
    """Run one trial, retrying while the quota is exhausted."""
    while not cancelled.is_set():
        try:
            run_one(point)
        except JobFailedError:
            return  # recorded as a failed trial, and shown as one
        except ServiceError as error:
            if not is_over_limit(error):
                cancelled.set()
                raise
            cancelled.wait(pause_s)
        except BaseException:
            cancelled.set()
            raise
        else:
            return
