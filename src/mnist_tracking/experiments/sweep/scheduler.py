"""Run trials some at a time, wait out full quotas, and stop everything when interrupted."""

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

    A trial that fails does not stop the others. A full quota (ResourceLimitExceeded) is waited out. Any other error
    stops the launching of further trials, lets the running ones end, and is raised. An interrupt from the keyboard
    launches nothing more and calls *on_interrupt*, which should make the running trials end.
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
    """Stop the trials though the interrupt comes again meanwhile; their threads are waited for in any case."""
    try:
        stop()
    except KeyboardInterrupt:
        stop()


def _run_point(run_one: RunOne, point: Mapping[str, Scalar], cancelled: threading.Event, pause_s: float) -> None:
    """Run one trial, again and again while the quota is full."""
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
