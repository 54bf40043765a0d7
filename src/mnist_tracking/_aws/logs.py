"""The log of a training job, read from CloudWatch as it grows."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import is_denied, is_missing, translated
from mnist_tracking._aws.waiting import Polling, is_settled
from mnist_tracking._values.text import last_redraw
from mnist_tracking.errors import AccessDeniedError, ServiceError

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class JobLog:
    """
    The lines of a job's log, each read once. Each host has a stream of its own, which appears with its first line.

    Args:
        account: Where the job is.
        job_name: The job; it need not have logged anything yet, nor even exist.
        is_optional: If reading logs is not allowed, warn and yield nothing.

    Attributes:
        is_denied: Whether reading logs turned out not to be allowed.
    """

    def __init__(self, account: Account, job_name: str, *, is_optional: bool = False) -> None:
        self._account = account
        self._client = account.client("logs")
        self._job_name = job_name
        self._is_optional = is_optional
        self.is_denied = False
        self._tokens: dict[str, str | None] = {}
        self._looked = 0.0

    def new_lines(self) -> Iterator[tuple[datetime, str]]:
        """
        Yield the lines logged since the last call, each with its time.

        Raises:
            AccessDeniedError: If reading logs is not allowed, and the log is not optional.
        """
        is_due = self._account.clock() - self._looked >= self._account.timing.poll_s
        return self._new_lines(find_streams=is_due or not self._tokens)

    def last_lines(self, ended: datetime | None) -> Iterator[tuple[datetime, str]]:
        """
        Yield the lines since the last call until nothing new has been logged for `Timing.log_quiet_s`.

        Args:
            ended: When the job ended. CloudWatch is behind for some time; later, the lines are read at once.
        """
        account, timing = self._account, self._account.timing
        quiet_since = account.clock()
        for _ in Polling(account, timeout_s=timing.settled_within_s):
            for line in self._new_lines(find_streams=True):
                quiet_since = account.clock()
                yield line
            is_quiet = account.clock() - quiet_since >= timing.log_quiet_s
            if is_quiet or self.is_denied or is_settled(account, ended):
                return

    def _new_lines(self, *, find_streams: bool) -> Iterator[tuple[datetime, str]]:
        if self.is_denied:
            return
        try:
            if find_streams:
                self._find_streams()
            for stream in self._tokens:
                yield from self._read(stream)
        except AccessDeniedError as error:
            if not (self._is_optional and is_denied(error)):
                raise
            self.is_denied = True
            self._account.warn_once("logs", f"The logs of training jobs cannot be read: {error.detail}")

    def _find_streams(self) -> None:
        self._looked = self._account.clock()
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=_LOG_GROUP, logStreamNamePrefix=f"{self._job_name}/"
        )
        try:
            with translated():
                for stream in (stream for page in pages for stream in page["logStreams"]):
                    self._tokens.setdefault(stream["logStreamName"], None)
        except ServiceError as error:
            if not is_missing(error):  # the group is created with the first job that logs
                raise

    def _read(self, stream: str) -> Iterator[tuple[datetime, str]]:
        """Yield lines until the token stays the same; a page before that may be empty, too."""
        while True:
            before = self._tokens[stream]
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


def log_tail(account: Account, job_name: str, ended: datetime | None, lines: int) -> list[str]:
    """
    Return the last lines of the log of a job that ended then, oldest first, each as a terminal shows it.

    If reading logs is not allowed, the list is empty.
    """
    log = JobLog(account, job_name, is_optional=True)
    return [last_redraw(line) for _, line in deque(log.last_lines(ended), maxlen=lines)]


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
