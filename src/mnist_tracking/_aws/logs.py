"""The log of a training job, read from CloudWatch as it grows."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking.errors import ServiceError

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class JobLog:
    """
    The lines of a job's log, each read once.

    Args:
        account: Where the job is.
        job_name: The job; it need not have logged anything yet, nor even exist.
    """

    def __init__(self, account: Account, job_name: str) -> None:
        self._client = account.client("logs")
        self._job_name = job_name
        self._tokens: dict[str, str] = {}
        self._streams: list[str] = []

    def new_lines(self) -> Iterator[tuple[datetime, str]]:
        """Yield the lines logged since the last call, each with its time."""
        self._streams = self._streams or self._find_streams()
        for stream in self._streams:
            yield from self._read(stream)

    def _find_streams(self) -> list[str]:
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=_LOG_GROUP, logStreamNamePrefix=f"{self._job_name}/"
        )
        try:
            with translated():
                return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except ServiceError as error:
            if is_missing(error):
                return []  # the group is created with the first job that logs
            raise

    def _read(self, stream: str) -> Iterator[tuple[datetime, str]]:
        """Yield lines until the token stays the same; a page before that may be empty, too."""
        while True:
            before = self._tokens.get(stream)
            position = {} if before is None else {"nextToken": before}
            with translated():
                page = self._client.get_log_events(
                    logGroupName=_LOG_GROUP, logStreamName=stream, startFromHead=True, **position
                )
            self._tokens[stream] = page["nextForwardToken"]
            for event in page["events"]:
                yield datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"]
            if self._tokens[stream] == before:
                return


def log_tail(account: Account, job_name: str, lines: int = 20) -> list[str]:
    """Return the last lines of a job's log, oldest first."""
    return [line for _, line in JobLog(account, job_name).new_lines()][-lines:]


def stream_tail(client: Any, group: str, lines: int, *, since: datetime) -> list[str]:
    """
    Return the last lines of a group's newest stream, oldest first.

    Args:
        client: A client of CloudWatch Logs.
        group: The log group.
        lines: How many lines.
        since: Earlier ones are left out.
    """
    pages = client.get_paginator("describe_log_streams").paginate(
        logGroupName=group, orderBy="LastEventTime", descending=True, PaginationConfig={"MaxItems": 1}
    )
    found: list[str] = []
    for stream in (stream for page in pages for stream in page["logStreams"]):
        about = {"logGroupName": group, "logStreamName": stream["logStreamName"], "limit": lines}
        position: dict[str, str] = {}
        while len(found) < lines:
            page = client.get_log_events(**about, startTime=int(since.timestamp() * 1000), **position)
            found = [*(event["message"] for event in page["events"]), *found]
            if page["nextBackwardToken"] == position.get("nextToken"):
                break
            position = {"nextToken": page["nextBackwardToken"]}
    return found[-lines:]
