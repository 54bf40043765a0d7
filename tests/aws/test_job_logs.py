"""The log of a job, read as it grows: streams and lines that appear late, and logs that must not be read."""

import random
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.late import Account
from tests.support.sent import Sent

from mnist_tracking import (
    AccessDeniedError,
    ExperimentRunner,
    HyperparameterSweep,
    JobFailedError,
    JobSpec,
    ServiceError,
    Workspace,
)
from mnist_tracking._aws.logs import JobLog, log_tail
from mnist_tracking._aws.waiting import Polling
from mnist_tracking._aws.watching import _streams_of
from mnist_tracking.embedded import EmbeddedSageMaker, Fault, Lag
from mnist_tracking.types import Timing

GROUP = "/aws/sagemaker/TrainingJobs"
DENIED = Fault("AccessDeniedException", service="logs", times=None)


@pytest.fixture
def runner(account: Account, calls: Sent, toy_job: Callable[..., JobSpec]) -> ExperimentRunner:
    return ExperimentRunner(account[1], "lines", job=toy_job())


def add_line(engine: EmbeddedSageMaker, stream: str, time: float, message: str, job: str = "job") -> None:
    with engine.store.write() as connection:
        connection.execute(
            "INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)",
            (GROUP, f"{job}/{stream}", time, message),
        )


def read_on(log: JobLog, *, calls: int, streams: int | None = None) -> list[str]:
    return [line for _ in range(calls) for _, line in log.read_on(streams=streams)]


def test_a_stream_that_appears_later_is_read_too(account: Account) -> None:
    engine, workspace, clock = account
    log = JobLog(workspace, "job")
    add_line(engine, "algo-1-1", clock(), "first host")
    assert read_on(log, calls=2, streams=2) == ["first host"]
    add_line(engine, "algo-2-1", clock(), "second host")
    clock.seconds += workspace.timing.poll_s

    assert read_on(log, calls=2, streams=2) == ["second host"]
    assert read_on(log, calls=2, streams=2) == []


def test_a_stream_that_is_not_expected_is_found_too(account: Account) -> None:
    """A spot instance was replaced, and the job does not show it."""
    engine, workspace, clock = account
    log = JobLog(workspace, "job")
    add_line(engine, "algo-1-1", clock(), "first instance")
    assert read_on(log, calls=2, streams=1) == ["first instance"]
    add_line(engine, "algo-1-2", clock(), "second instance")
    clock.seconds += 12 * workspace.timing.poll_s

    assert read_on(log, calls=2, streams=1) == ["second instance"]


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_read_once_however_late_it_is(account: Account, seed: int) -> None:
    """Three hosts log at any time, their streams are late by up to three seconds, and pages have empty ones before."""
    engine, workspace, clock = account
    engine.lag = Lag(seed=seed, logs_s=(0.0, 3.0), empty_pages=3)
    chance, log, streams = random.Random(seed), JobLog(workspace, "job"), random.Random(seed).choice((None, 3, 4))
    logged, read = list[str](), list[str]()
    for number in range(40):
        host = chance.randrange(3)
        logged.append(f"{host}: line {number}")
        add_line(engine, f"algo-{host}-1", clock(), logged[-1])
        clock.seconds += chance.choice((0.0, 0.5, 20.0))
        read += read_on(log, calls=chance.randrange(3), streams=streams)
    ended = datetime.now(UTC)
    while not log.is_complete:
        read += [line for _, line in log.read_on(streams=streams, ended=ended)]
        clock.seconds += 0.0 if log.has_more else 1.0

    assert sorted(read) == sorted(logged)
    for name in "012":
        assert [line for line in read if line[0] == name] == [line for line in logged if line[0] == name]


def test_a_failed_call_loses_no_lines_of_other_hosts(account: Account) -> None:
    engine, workspace, clock = account
    log = JobLog(workspace, "job")
    for host in (1, 2):
        add_line(engine, f"algo-{host}-1", clock(), f"host {host}")
    assert read_on(log, calls=1) == []  # it has looked for streams
    seen: list[str] = []

    def fail_for_the_second(**_: object) -> None:
        seen.append("call")
        if len(seen) == 2:
            raise ServiceError("InternalFailure", "GetLogEvents", "not now")

    workspace.client("logs").meta.events.register_first("before-call.cloudwatch-logs.GetLogEvents", fail_for_the_second)
    with pytest.raises(ServiceError, match="not now"):
        read_on(log, calls=1)

    assert read_on(log, calls=1) == ["host 1", "host 2"]


@pytest.mark.parametrize(
    ("resources", "statuses", "expected"),
    [
        ({"InstanceCount": 1}, [], 1),
        ({"InstanceCount": 2}, ["Starting", "Training", "Completed"], 2),
        ({"InstanceCount": 2}, ["Training", "Interrupted", "Starting", "Training"], 4),
        ({"InstanceGroups": [{"InstanceCount": 1}, {"InstanceCount": 3}]}, ["Training"], 4),
    ],
)
def test_each_host_has_a_stream_each_time_that_the_job_was_started(
    resources: dict[str, Any], statuses: list[str], expected: int
) -> None:
    transitions = [{"Status": status} for status in statuses]

    assert _streams_of({"ResourceConfig": resources, "SecondaryStatusTransitions": transitions}) == expected


def test_known_streams_are_read_without_looking_for_others_each_time(account: Account, calls: Sent) -> None:
    engine, workspace, clock = account
    log = JobLog(workspace, "job")
    add_line(engine, "algo-1-1", clock(), "first host")
    read_on(log, calls=6)

    assert Counter(operation for operation, _ in calls)["DescribeLogStreams"] == 1


def test_the_last_lines_are_waited_for(account: Account) -> None:
    """CloudWatch is behind the end of the job."""
    engine, workspace, clock = account
    engine.lag = Lag(logs_s=3.0)
    log = JobLog(workspace, "job")
    for second, host in ((0, 1), (2, 1), (5, 2)):
        add_line(engine, f"algo-{host}-1", clock() + second, f"line {second}")

    assert [line for _, line in log.last_lines(datetime.now(UTC))] == ["line 0", "line 2", "line 5"]
    assert 12 <= clock.seconds < 20


def test_the_log_of_a_job_that_ended_long_ago_is_read_at_once(account: Account) -> None:
    engine, workspace, clock = account
    add_line(engine, "algo-1-1", clock(), "line")

    assert len(list(JobLog(workspace, "job").last_lines(datetime.now(UTC) - timedelta(minutes=3)))) == 1
    assert clock.seconds == 0


def test_a_log_that_never_ends_is_given_up(account: Account) -> None:
    engine, workspace, clock = account
    sleep = clock.sleep

    def log_and_sleep(seconds: float) -> None:
        add_line(engine, "algo-1-1", clock(), "and on")
        sleep(seconds)

    workspace.sleep = log_and_sleep
    assert len(list(JobLog(workspace, "job").last_lines(datetime.now(UTC)))) > 5
    assert 119 < clock.seconds < 130


def test_every_line_is_shown_though_the_log_is_behind_and_has_empty_pages(
    account: Account, runner: ExperimentRunner
) -> None:
    engine, workspace, _ = account
    engine.lag = Lag(logs_s=2.5, empty_pages=2)
    seen: list[str] = []
    submitted = runner.submit({"steps": 7})
    submitted.wait(on_line=seen.append)

    assert [line.split()[1] for line in seen] == list("0123456")
    assert list(workspace.submitted(submitted.name).logs(follow=True)) == seen


def test_the_failure_shows_the_end_of_a_log_that_is_behind(account: Account, runner: ExperimentRunner) -> None:
    account[0].lag = Lag(logs_s=2.5)
    with pytest.raises(JobFailedError) as caught:
        runner.run({"behaviour": "raise"})

    assert caught.value.log_tail[-1] == "RuntimeError: the data are upside down"


class Watcher:
    """An observer that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, *_: object) -> None: ...
    def status_changed(self, *_: object) -> None: ...
    def ended(self, *_: object) -> None: ...
    def logged(self, _trial: str, line: str) -> None:
        self.lines.append(line)


def test_the_end_of_a_trial_that_this_program_created_takes_three_calls(
    account: Account, runner: ExperimentRunner, calls: Sent
) -> None:
    """On AWS its component does not exist yet when its job is started, so it is tagged at the end."""
    account[0].lag = Lag(components_s=1.0)
    runner.run()
    names = [name for name, _ in calls]
    end = names[len(names) - 1 - names[::-1].index("GetLogEvents") :]

    assert [name for name in end[1:] if name != "DescribeTrialComponent"] == ["AddTags", "UpdateTrialComponent"]


def test_who_may_not_read_logs_can_still_run(account: Account, runner: ExperimentRunner) -> None:
    account[0].inject(DENIED)
    watcher = Watcher()
    with pytest.warns(UserWarning, match="logs of training jobs cannot be read: ") as told:
        trial = runner.run(observer=watcher)

    assert (trial.status, trial.metrics["score"].last, watcher.lines) == ("Completed", 1.75, [])
    assert len(told) == 1


def test_who_may_not_read_logs_gets_the_reason_of_a_failure(account: Account, runner: ExperimentRunner) -> None:
    account[0].inject(DENIED)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(JobFailedError, match="upside down") as caught:
            runner.run({"behaviour": "raise"}, observer=Watcher())

    assert caught.value.log_tail == ()
    assert "the data are upside down" in caught.value.reason
    assert len(told) == 1


def test_who_may_not_read_logs_is_warned_once_in_a_sweep(account: Account, runner: ExperimentRunner) -> None:
    account[0].inject(DENIED)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        board = HyperparameterSweep(runner, {"slope": [1.0, 2.0], "behaviour": ["train", "exit"]}).run(
            observer=Watcher()
        )

    assert sorted(str(trial.status) for trial in board) == ["Completed", "Completed", "Failed", "Failed"]
    assert len(told) == 1


def test_who_asks_for_a_log_that_must_not_be_read_gets_an_error(account: Account, runner: ExperimentRunner) -> None:
    submitted = runner.submit()
    submitted.wait()
    account[0].inject(DENIED)

    with pytest.raises(AccessDeniedError, match="DescribeLogStreams"):
        list(submitted.logs())
    with pytest.warns(UserWarning, match="cannot be read"):
        assert log_tail(account[1], submitted.job_name, datetime.now(UTC), 20) == []


def test_expired_credentials_are_not_taken_for_a_missing_permission(account: Account, runner: ExperimentRunner) -> None:
    account[0].inject(Fault("ExpiredTokenException", service="logs", times=None))
    with pytest.raises(AccessDeniedError, match="expired"):
        runner.run(observer=Watcher())


class Slow:
    """A clock for jobs that take long: it moves by the pauses of one program after another."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("hosts", [0, 2])
def test_ten_trials_stay_far_below_the_rate_of_log_calls(tmp_path: Path, hosts: int) -> None:
    """AWS allows an account 25 DescribeLogStreams a second; here, ten programs begin at the same moment."""
    engine = EmbeddedSageMaker(tmp_path / "home")
    moments: list[float] = []
    for number in range(10):
        for host in range(hosts):
            add_line(engine, f"algo-{host}-1", 1.0, "line", job=f"job-{number}")
    for number in range(10):
        clock = Slow()
        workspace = Workspace.embedded(engine=engine, timing=Timing())
        workspace.sleep, workspace.clock = clock.sleep, clock
        workspace.boto_session.events.register(
            "before-parameter-build.cloudwatch-logs.DescribeLogStreams",
            lambda clock=clock, **_: moments.append(clock()),
        )
        log = JobLog(workspace, f"job-{number}")
        for _ in Polling(workspace, timeout_s=1800.0):
            assert len(log.read_on()) in (0, hosts)
    engine.close()
    busiest = max(Counter(int(moment) for moment in moments).values())

    assert busiest <= 10
    assert 0.4 < len(moments) / 1800 < 1.6
