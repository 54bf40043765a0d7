"""Trials at once: what stops the launching of more, and what becomes of those that run."""

import _thread
import threading
from collections.abc import Mapping

import pytest

from mnist_tracking import JobFailedError, ServiceError
from mnist_tracking._values.records import Scalar
from mnist_tracking.experiments.sweep.scheduler import run_all

POINTS: list[dict[str, Scalar]] = [{"n": n} for n in range(6)]
Point = Mapping[str, Scalar]


def nothing() -> None:
    """What an interrupt calls where none comes."""


def refuse(point: Point) -> None:
    raise ServiceError("AccessDenied", "CreateTrainingJob", f"no {point['n']}")


def test_an_unexpected_error_launches_nothing_more_and_is_raised() -> None:
    started: list[Scalar] = []

    def run_one(point: Point) -> None:
        started.append(point["n"])
        refuse(point)

    with pytest.raises(ServiceError, match="AccessDenied"):
        run_all(run_one, POINTS, max_parallel=1, pause_s=0.0, on_interrupt=nothing)

    assert started == [0]


def test_an_unexpected_error_lets_the_running_trials_end() -> None:
    both, failed = threading.Barrier(2), threading.Event()
    ended: list[Scalar] = []

    def run_one(point: Point) -> None:
        both.wait()
        if point["n"] == 0:
            failed.set()
            refuse(point)
        failed.wait()
        ended.append(point["n"])

    with pytest.raises(ServiceError, match="no 0"):
        run_all(run_one, POINTS[:2], max_parallel=2, pause_s=0.0, on_interrupt=nothing)

    assert ended == [1]


def test_a_failing_trial_stops_nothing_and_a_full_quota_is_tried_again() -> None:
    refusals, ended = [1, 1], []

    def run_one(point: Point) -> None:
        if point["n"] == 0:
            raise JobFailedError("job", "ExitCode 7")
        if point["n"] == 1 and refusals:
            refusals.pop()
            raise ServiceError("ResourceLimitExceeded", "CreateTrainingJob", "full")
        ended.append(point["n"])

    run_all(run_one, POINTS, max_parallel=1, pause_s=0.0, on_interrupt=nothing)

    assert ended == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("error_first", [False, True])
def test_an_interrupt_stops_what_runs_also_after_an_error(error_first: bool) -> None:
    """As Ctrl-C does while the sweep waits for the trials that still run."""
    both, stopped = threading.Barrier(2), threading.Event()

    started: list[Scalar] = []

    def run_one(point: Point) -> None:
        started.append(point["n"])
        both.wait()
        if point["n"] == 0:
            if error_first:
                refuse(point)
            stopped.wait()
        else:
            _thread.interrupt_main()
            stopped.wait()

    with pytest.raises(KeyboardInterrupt):
        run_all(run_one, POINTS, max_parallel=2, pause_s=0.0, on_interrupt=stopped.set)

    assert set(started) == {0, 1}
