"""CloudWatch Logs: pages of what jobs printed, and the streams that they printed to."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from mnist_tracking.embedded.engine import EmbeddedSageMaker

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def logs(engine: EmbeddedSageMaker) -> "CloudWatchLogsClient":
    """A client of an engine where the job ``a`` printed five lines, one a second, beside others."""
    events = [(GROUP, "a/algo-1-1", 100.0 + number, f"line {number}") for number in range(5)]
    events += [(GROUP, "b/algo-1-1", 50.5, "first"), (GROUP, "ab/algo-1-1", 200.25, "last"), ("other", "a/1", 0.0, "")]
    with engine.store.write() as connection:
        connection.executemany(
            "INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)", events
        )
    return engine.session().client("logs")


def messages(page: Any) -> list[str]:
    return [event["message"] for event in page["events"]]


def read(logs: "CloudWatchLogsClient", **params: Any) -> Any:
    return logs.get_log_events(logGroupName=GROUP, logStreamName="a/algo-1-1", **params)


def test_streams_are_those_with_the_prefix(logs: "CloudWatchLogsClient") -> None:
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="a/")

    assert [stream["logStreamName"] for stream in found["logStreams"]] == ["a/algo-1-1"]
    assert (found["logStreams"][0]["firstEventTimestamp"], found["logStreams"][0]["lastEventTimestamp"]) == (
        100_000,
        104_000,
    )


def test_there_is_never_another_page_of_streams(logs: "CloudWatchLogsClient") -> None:
    """The SageMaker SDK follows a job for as long as it gets a token."""
    found = logs.describe_log_streams(logGroupName=GROUP, limit=1)

    assert len(found["logStreams"]) == 1
    assert "nextToken" not in found


def test_streams_are_ordered_by_name_or_by_their_last_event(logs: "CloudWatchLogsClient") -> None:
    by_time = logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)
    by_name = logs.describe_log_streams(logGroupName=GROUP, orderBy="LogStreamName")

    assert [stream["logStreamName"][:2] for stream in by_time["logStreams"]] == ["ab", "a/", "b/"]
    assert [stream["logStreamName"][:2] for stream in by_name["logStreams"]] == ["a/", "ab", "b/"]


def test_a_group_without_logs_has_no_streams(logs: "CloudWatchLogsClient") -> None:
    assert logs.describe_log_streams(logGroupName="/aws/sagemaker/Endpoints")["logStreams"] == []


def test_a_stream_that_is_missing_is_an_error(logs: "CloudWatchLogsClient") -> None:
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName=GROUP, logStreamName="c/algo-1-1")


def test_blank_line_is_a_space(logs: "CloudWatchLogsClient") -> None:
    """CloudWatch has no empty messages."""
    assert messages(logs.get_log_events(logGroupName="other", logStreamName="a/1")) == [" "]


def test_pages_lead_forward_to_an_unchanged_token(logs: "CloudWatchLogsClient") -> None:
    """An empty page before that is not the end (botocore, GetLogEvents)."""
    first = read(logs, startFromHead=True, limit=3)
    empty = read(logs, limit=3, nextToken=first["nextForwardToken"])
    second = read(logs, limit=3, nextToken=empty["nextForwardToken"])
    end = read(logs, limit=3, nextToken=second["nextForwardToken"])

    assert [messages(page) for page in (first, empty, second, end)] == [
        ["line 0", "line 1", "line 2"],
        [],
        ["line 3", "line 4"],
        [],
    ]
    assert empty["nextForwardToken"] != first["nextForwardToken"]
    assert end["nextForwardToken"] == second["nextForwardToken"]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize("direction", ["Forward", "Backward"])
def test_every_event_is_on_one_page(logs: "CloudWatchLogsClient", direction: str, limit: int) -> None:
    """In either direction, for a reader that stops at an unchanged token."""
    found: list[str] = []
    page = read(logs, limit=limit, startFromHead=direction == "Forward")
    token = None
    while token != page[f"next{direction}Token"]:
        found = [*found, *messages(page)] if direction == "Forward" else [*messages(page), *found]
        token = page[f"next{direction}Token"]
        page = read(logs, limit=limit, nextToken=token)

    assert found == [f"line {number}" for number in range(5)]


def test_the_last_token_finds_what_is_printed_later(engine: EmbeddedSageMaker, logs: "CloudWatchLogsClient") -> None:
    token = read(logs, startFromHead=True)["nextForwardToken"]
    with engine.store.write() as connection:
        values = (GROUP, "a/algo-1-1", 105.0, "line 5")
        connection.execute("INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)", values)

    assert messages(read(logs, nextToken=token)) == ["line 5"]


def test_without_start_from_head_the_end_comes_first(logs: "CloudWatchLogsClient") -> None:
    last = read(logs, limit=2)
    before = read(logs, limit=2, nextToken=last["nextBackwardToken"])
    first = read(logs, limit=2, nextToken=before["nextBackwardToken"])
    start = read(logs, limit=2, nextToken=first["nextBackwardToken"])

    assert [messages(page) for page in (last, before, first, start)] == [
        ["line 3", "line 4"],
        ["line 1", "line 2"],
        ["line 0"],
        [],
    ]
    assert messages(read(logs, limit=2, nextToken=start["nextForwardToken"])) == ["line 0", "line 1"]


def test_events_can_be_bounded_by_time(logs: "CloudWatchLogsClient") -> None:
    """The start is included, the end is not."""
    assert messages(read(logs, startFromHead=True, startTime=102_000)) == ["line 2", "line 3", "line 4"]
    assert messages(read(logs, startFromHead=True, startTime=101_000, endTime=103_000)) == ["line 1", "line 2"]
    assert messages(read(logs, startFromHead=True, startTime=104_001)) == []


def test_event_is_found_by_its_own_time(engine: EmbeddedSageMaker, logs: "CloudWatchLogsClient") -> None:
    """The SDK continues at the last timestamp it saw, truncated to milliseconds."""
    with engine.store.write() as connection:
        values = (GROUP, "a/algo-1-1", 1_700_000_000.1239, "late")
        connection.execute("INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)", values)
    shown = read(logs)["events"][-1]["timestamp"]

    assert shown == 1_700_000_000_123
    assert messages(read(logs, startTime=shown)) == ["late"]


@pytest.mark.parametrize(
    "token", ["x/1", "f/", "f/x", "7", "f/99999999999999999999", "f/1+x", "f/\u0661", "f/" + "9" * 5000]
)
def test_invalid_token_is_rejected(logs: "CloudWatchLogsClient", token: str) -> None:
    with pytest.raises(ClientError) as caught:
        read(logs, nextToken=token)

    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
