"""`SubmittedTrial.watch`: what is new of a job, in at most two calls; nothing is lost, and nothing comes twice."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.late import Account, late_account
from tests.support.sent import Sent, record_calls

from mnist_tracking import ExperimentRunner, JobSpec, Workspace
from mnist_tracking.embedded import Lag
from mnist_tracking.experiments.submission import SubmittedTrial
from mnist_tracking.types import MetricPoint, Update

EPOCHS = """
print("100 epochs at most")
print("loss=9.0;")
for epoch in (1, 2):
    print(f"Epoch: {epoch} [64/128 (50%)] loss={1 / epoch};")
    print(f"score={epoch * 2};")
"""


@pytest.fixture
def calls(workspace: Workspace) -> Sent:
    return record_calls(workspace)


def watched(submitted: SubmittedTrial, calls: Sent) -> tuple[list[Update], list[int]]:
    """Watch a trial to its end; return what was new each time, and the number of calls of each time."""
    updates, counts = list[Update](), list[int]()
    while not updates or not updates[-1].is_ended:
        before = len(calls)
        updates.append(submitted.watch())
        counts.append(len(calls) - before)
    return updates, counts


def test_everything_is_returned_once_in_two_calls_at_most(calls: Sent, runner: ExperimentRunner) -> None:
    submitted = runner.submit({"steps": 5})
    updates, counts = watched(submitted, calls)
    points = [point for update in updates for point in update.points]

    assert max(counts) == 2
    assert updates[-1].status == updates[-1].secondary_status == "Completed"
    assert [line for update in updates for line in update.lines] == list(submitted.logs())
    series = submitted.series()
    assert [point for point in points if point.metric == "score"] == list(series["score"])
    assert [point for point in points if point.metric == "error"] == list(series["error"])
    assert (len(points), [point.step for point in series["score"]]) == (10, [0, 1, 2, 3, 4])


def test_each_poll_of_a_running_job_makes_two_calls(calls: Sent, runner: ExperimentRunner) -> None:
    submitted = runner.submit({"behaviour": "hang"})
    while not submitted.watch().lines:
        pass
    calls.clear()
    for _ in range(8):
        assert not submitted.watch().is_ended
    submitted.stop()

    assert [name for name, _ in calls][:16] == ["DescribeTrainingJob", "GetLogEvents"] * 8


def test_another_host_costs_another_call(calls: Sent, workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    submitted = ExperimentRunner(workspace, "lines", job=toy_job(instance_count=2)).submit()
    updates, counts = watched(submitted, calls)

    assert max(counts) == 3
    assert sum(len(update.lines) for update in updates) == 6


def test_each_handle_has_a_place_of_its_own(runner: ExperimentRunner, workspace: Workspace) -> None:
    first = runner.submit(name="baseline")
    second = workspace.submitted("baseline")
    one, two = (watched(handle, [])[0] for handle in (first, second))

    assert [point for update in one for point in update.points] == [point for update in two for point in update.points]
    assert first.watch() == Update("Completed", "Completed", (), (), is_ended=True)
    assert first.wait().metrics["score"].last == 1.75


def test_steps_are_the_epochs_that_the_script_prints(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(EPOCHS)
    job = JobSpec(str(tmp_path / "train.py"), metrics={"loss": "loss=(.*?);", "score": "score=(.*?);"})
    submitted = ExperimentRunner(workspace, "lines", job=job).submit()
    points: list[MetricPoint] = []
    trial = submitted.wait(on_point=points.append)

    found = [(point.metric, point.step, point.value) for point in points]
    assert found == [("loss", 1, 9.0), ("loss", 1, 1.0), ("score", 1, 2.0), ("loss", 2, 0.5), ("score", 2, 4.0)]
    assert [point.step for point in trial.series()["score"]] == [1, 2]


@pytest.fixture(params=range(3))
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Account]:
    with late_account(tmp_path / "late", Lag.like_aws(seed=request.param)) as account:
        yield account


def test_nothing_is_lost_on_an_account_that_is_late(account: Account, toy_job: Callable[..., JobSpec]) -> None:
    _, workspace, clock = account
    submitted = ExperimentRunner(workspace, "lines", job=toy_job()).submit({"steps": 7})
    lines: list[str] = []
    is_ended = False
    while not is_ended:
        update = submitted.watch()
        lines, is_ended = [*lines, *update.lines], update.is_ended
        clock.sleep(1.0)

    assert [line.split()[1] for line in lines] == list("0123456")
