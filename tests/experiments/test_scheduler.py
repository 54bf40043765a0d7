"""Tasks at once: what is waited for, what stops the launching of more, and what becomes of those that run."""

import _thread
import threading
from collections.abc import Callable
from functools import partial

import pytest

from mnist_tracking import ServiceError, ThrottledError, Workspace
from mnist_tracking.experiments.sweep.scheduler import Cancelled, Scheduler
from mnist_tracking.types import Timing

MakeScheduler = Callable[..., Scheduler]
FULL = ServiceError("ResourceLimitExceeded", "CreateTrainingJob", "full")
DOWN = ServiceError("EndpointConnectionError", "A call", "no network")


def nothing() -> None:
    """What an interrupt calls where none comes."""


def refuse(number: int) -> None:
    raise ServiceError("AccessDenied", "CreateTrainingJob", f"no {number}")


@pytest.fixture
def make(workspace: Workspace) -> MakeScheduler:
    """Make a scheduler whose pauses take no time."""

    def make(max_parallel: int = 1, on_interrupt: Callable[[], None] = nothing, *, outage_s: float = 60.0) -> Scheduler:
        workspace.timing = Timing(poll_s=1e-6, outage_s=outage_s)
        return Scheduler(workspace, max_parallel=max_parallel, on_interrupt=on_interrupt)

    return make


def each(*tasks: Callable[[], object]) -> Callable[[], Callable[[], object] | None]:
    """Return a function that returns the tasks one by one, then None."""
    left = iter(tasks)
    return lambda: next(left, None)


def failing(times: int, error: ServiceError) -> Callable[[], str]:
    """Make an action that fails some times before it succeeds."""
    left = iter(range(times))

    def act() -> str:
        if next(left, None) is not None:
            raise error
        return "started"

    return act


def test_each_task_is_run_once(make: MakeScheduler) -> None:
    done: list[int] = []

    make(3).run(each(*(partial(done.append, number) for number in range(6))))

    assert sorted(done) == [0, 1, 2, 3, 4, 5]


def test_a_task_may_make_more_tasks(make: MakeScheduler) -> None:
    """A thread that finds none waits for the end of those that run, and looks again."""
    done, left = list[str](), list[Callable[[], None]]()
    looked_in_vain = threading.Event()

    def first() -> None:
        looked_in_vain.wait()
        done.append("first")
        left.extend([partial(done.append, "second"), partial(done.append, "third")])

    def take() -> Callable[[], None] | None:
        if left:
            return left.pop()
        looked_in_vain.set()
        return None

    left.append(first)
    make(2).run(take)

    assert sorted(done) == ["first", "second", "third"]


def test_an_unexpected_error_launches_nothing_more_and_is_raised(make: MakeScheduler) -> None:
    started: list[int] = []

    def run_one(number: int) -> None:
        started.append(number)
        refuse(number)

    with pytest.raises(ServiceError, match="AccessDenied"):
        make().run(each(*(partial(run_one, number) for number in range(6))))

    assert started == [0]


def test_an_unexpected_error_lets_the_running_trials_end(make: MakeScheduler) -> None:
    both, failed = threading.Barrier(2), threading.Event()
    ended: list[int] = []

    def run_one(number: int) -> None:
        both.wait()
        if number == 0:
            failed.set()
            refuse(number)
        failed.wait()
        ended.append(number)

    with pytest.raises(ServiceError, match="no 0"):
        make(2).run(each(*(partial(run_one, number) for number in range(2))))

    assert ended == [1]


@pytest.mark.parametrize("error", [FULL, ThrottledError("ThrottlingException", "CreateTrainingJob", "")])
def test_a_full_quota_is_waited_out_as_long_as_it_takes(make: MakeScheduler, error: ServiceError) -> None:
    scheduler = make(outage_s=0.0)

    started: list[str] = []
    scheduler.run(each(lambda: started.append(scheduler.start(failing(100, error)))))

    assert started == ["started"]


def test_one_task_waits_for_a_full_quota_and_the_others_wait_behind_it(make: MakeScheduler) -> None:
    """Each of the others finds it full once at most; all the attempts after that are those of one."""
    scheduler, attempts, is_full = make(4), list[int](), threading.Event()
    all_found_it_full = threading.Barrier(4)

    def start(number: int) -> None:
        attempts.append(number)
        if attempts.count(number) == 1:
            all_found_it_full.wait()
            raise FULL
        if not is_full.is_set():
            if len(attempts) > 50:
                is_full.set()
            raise FULL

    scheduler.run(each(*(partial(scheduler.start, partial(start, number)) for number in range(4))))

    waiter = attempts[4]
    assert attempts[4:52] == [waiter] * 48
    assert sorted(attempts[52:]) == sorted({0, 1, 2, 3} - {waiter})


def test_no_job_is_started_after_an_error(make: MakeScheduler) -> None:
    """Not even by a task that waited behind the one that waits for the quota."""
    scheduler, started = make(), list[str]()
    with pytest.raises(ServiceError, match="no 1"):
        scheduler.run(each(partial(refuse, 1)))

    with pytest.raises(Cancelled):
        scheduler.start(partial(started.append, "a job"))

    assert started == []


def test_an_outage_is_outlived_for_some_time(make: MakeScheduler) -> None:
    assert make().outliving(failing(50, DOWN)) == "started"

    with pytest.raises(ServiceError, match="no network"):
        make(outage_s=1e-5).outliving(failing(1000, DOWN))
    with pytest.raises(ServiceError, match="AccessDenied"):
        make().outliving(partial(refuse, 1))


def test_a_task_that_waits_ends_when_another_fails(make: MakeScheduler) -> None:
    scheduler, waiting = make(2), threading.Event()

    def wait() -> None:
        waiting.set()
        raise FULL

    def fail() -> None:
        waiting.wait()
        refuse(1)

    with pytest.raises(ServiceError, match="AccessDenied"):
        scheduler.run(each(partial(scheduler.start, wait), fail))


@pytest.mark.parametrize("error_first", [False, True])
def test_an_interrupt_stops_what_runs_also_after_an_error(make: MakeScheduler, error_first: bool) -> None:
    """As Ctrl-C does while the sweep waits for the trials that still run."""
    both, stopped = threading.Barrier(2), threading.Event()
    started: list[int] = []

    def run_one(number: int) -> None:
        started.append(number)
        both.wait()
        if number == 0:
            if error_first:
                refuse(number)
            stopped.wait()
        else:
            _thread.interrupt_main()
            stopped.wait()

    with pytest.raises(KeyboardInterrupt):
        make(2, stopped.set).run(each(*(partial(run_one, number) for number in range(6))))

    assert set(started) == {0, 1}


def test_an_interrupt_that_comes_twice_still_stops_the_trials(make: MakeScheduler) -> None:
    """The command `timeout`, for one, sends its signal twice."""
    stopped, asked = threading.Event(), list[str]()

    def run_one() -> None:
        _thread.interrupt_main()
        stopped.wait(10)

    def stop() -> None:
        asked.append("stop")
        if len(asked) == 1:
            raise KeyboardInterrupt
        stopped.set()

    with pytest.raises(KeyboardInterrupt):
        make(1, stop).run(each(run_one))

    assert asked == ["stop", "stop"]
    assert stopped.is_set()


def test_an_interrupt_during_an_outage_says_that_jobs_may_be_running(make: MakeScheduler) -> None:
    def stop() -> None:
        raise DOWN

    scheduler = make(1, stop)

    def run_one() -> None:
        _thread.interrupt_main()
        scheduler.outliving(failing(10**9, DOWN))

    with pytest.raises(KeyboardInterrupt) as caught:
        scheduler.run(each(run_one))

    assert "Jobs may still be running" in caught.value.__notes__[0]
