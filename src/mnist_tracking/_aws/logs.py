"""The log of a training job, read from CloudWatch as it grows."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import translate, translated

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class JobLog:
    """
    The lines of a job's log that were not read yet.

    Args:
        workspace: Where the job is.
        job_name: The job; it may not have logged yet, or even not exist.
    """

    def __init__(self, account: Account, job_name: str) -> None:
        self._client = account.client("logs")
        self._job_name = job_name
        self._tokens: dict[str, str] = {}
        self._streams: list[str] = []

    def new_lines(self) -> Iterator[tuple[datetime, str]]:
        """Yield the lines that have come since the last time, each with the moment it was logged."""
        self._streams = self._streams or _streams(self._client, self._job_name)
        for stream in self._streams:
            yield from self._read(stream)

    def _read(self, stream: str) -> Iterator[tuple[datetime, str]]:
        while True:
            where = {"nextToken": self._tokens[stream]} if stream in self._tokens else {}
            with translated():
                page = self._client.get_log_events(
                    logGroupName=_LOG_GROUP, logStreamName=stream, startFromHead=True, **where
                )
            self._tokens[stream] = page["nextForwardToken"]
            for event in page["events"]:
                yield datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"]
            if not page["events"]:
                return


def _streams(client: Any, job_name: str) -> list[str]:
    try:
        found = client.describe_log_streams(logGroupName=_LOG_GROUP, logStreamNamePrefix=f"{job_name}/")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return []  # the group appears with the first job that logs
        raise translate(error) from error
    return [stream["logStreamName"] for stream in found["logStreams"]]


def log_tail(account: Account, job_name: str, lines: int = 20) -> list[str]:
    """Return the last lines of a job's log, oldest first."""
    return [line for _, line in JobLog(account, job_name).new_lines()][-lines:]
