"""The log of a training job, read from CloudWatch as it grows."""

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import is_denied, is_missing, translated
from mnist_tracking._aws.waiting import Polling, is_settled
from mnist_tracking._values.text import last_redraw
from mnist_tracking.errors import AccessDeniedError, ServiceError

Line = tuple[datetime, str]
"""A line of a log, with its time."""

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_RARELY = 12  # times `Timing.poll_s`, between looks for streams that are not expected
_MANY = 1000  # lines in one page: there may be more


class JobLog:
    """
    The lines of a job's log, each read once. Each host has a stream of its own, which appears with its first line.

    Args:
        account: Where the job is.
        job_name: The job; it need not have logged anything yet, nor even exist.
        is_optional: If reading logs is not allowed, warn and yield nothing.

    Attributes:
        is_denied: Whether reading logs turned out not to be allowed.
        has_more: Whether `read_on` should be called again at once: the last call found that there may be more.
        is_complete: Whether the job has ended and `read_on` has returned everything that it has logged.
    """

    def __init__(self, account: Account, job_name: str, *, is_optional: bool = False) -> None:
        self._account = account
        self._job_name = job_name
        self._is_optional = is_optional
        self.is_denied = self.has_more = self.is_complete = False
        self._tokens: dict[str, str | None] = {}
        self._looked = -math.inf
        self._has_looked_at_end = False
        self._ended_at = self._quiet_since = math.inf

    @property
    def has_streams(self) -> bool:
        """Whether a stream was found."""
        return bool(self._tokens)

    def new_lines(self) -> Iterator[Line]:
        """
        Yield all lines that have been logged since the last call, each with its time.

        Raises:
            AccessDeniedError: If reading logs is not allowed, and the log is not optional.
        """
        if self.is_denied:
            return
        with self._denial():
            self._find_streams()
            for stream in self._tokens:
                is_end = False
                while not is_end:
                    lines, token = self._page(stream)
                    is_end, self._tokens[stream] = token == self._tokens[stream], token
                    yield from lines

    def last_lines(self, ended: datetime | None) -> Iterator[Line]:
        """
        Yield the lines since the last call until nothing new has been logged for `Timing.log_quiet_s`.

        Args:
            ended: When the job ended; None if that is long ago.
        """
        for _ in Polling(self._account):
            while True:
                yield from self.read_on(ended=ended or _LONG_AGO)
                if not self.has_more:
                    break
            if self.is_complete:
                return

    def read_on(
        self, *, streams: int | None = None, ended: datetime | None = None, is_behind: bool = False
    ) -> list[Line]:
        """
        Return the next lines of each stream, one page each; or none, if it is time to look for streams.

        Streams are looked for until there are as many as expected, after the first one at most every `Timing.poll_s`.
        Then they are looked for rarely. After the end, they are looked for again if there may be more.

        Args:
            streams: How many streams are expected; None if that is not known.
            ended: When the job ended; None while it runs. CloudWatch is behind for some time: the log is complete when
                nothing new was logged for `Timing.log_quiet_s`. The log of a job that ended long ago is read at once.
            is_behind: Whether lines are known to be missing, which are waited for until `Timing.settled_within_s`.

        Raises:
            AccessDeniedError: If reading logs is not allowed, and the log is not optional.
        """
        has_all = streams is not None and len(self._tokens) >= streams
        self.has_more = False
        lines = [] if self.is_denied else self._look_or_read(has_all=has_all, is_over=ended is not None)
        if ended is not None:
            self._note_end(ended, is_quiet=not (lines or is_behind), has_all=has_all)
        return lines

    def _look_or_read(self, *, has_all: bool, is_over: bool) -> list[Line]:
        with self._denial():
            if not self._is_look_due(has_all=has_all, is_over=is_over):
                return self._pages(is_over=is_over)
            self._find_streams()
            self._has_looked_at_end = is_over
            self.has_more = self.has_streams
        return []

    def _is_look_due(self, *, has_all: bool, is_over: bool) -> bool:
        if not self._tokens:
            return True
        if is_over:
            return not (has_all or self._has_looked_at_end)
        pause_s = self._account.timing.poll_s * (_RARELY if has_all else 1)
        return self._account.clock() - self._looked >= pause_s

    def _pages(self, *, is_over: bool) -> list[Line]:
        """
        Return the next page of each stream; a page before the end may be empty, too.

        After an error, the same pages are read again.
        """
        pages = {stream: self._page(stream) for stream in self._tokens}
        for stream, (lines, token) in pages.items():
            is_end, self._tokens[stream] = token == self._tokens[stream], token
            self.has_more |= not is_end and (is_over or not lines or len(lines) >= _MANY)
        return [line for lines, _ in pages.values() for line in lines]

    def _note_end(self, ended: datetime, *, is_quiet: bool, has_all: bool) -> None:
        """Notice that the log of a job that has ended is complete."""
        account, now = self._account, self._account.clock()
        self._ended_at = min(self._ended_at, now)
        if not is_quiet or self._quiet_since > now:
            self._quiet_since = now
        is_over = (
            now - self._quiet_since >= account.timing.log_quiet_s
            or now - self._ended_at >= account.timing.settled_within_s
            or is_settled(account, ended)
        )
        is_read = not self.has_more and (has_all or self._has_looked_at_end)
        self.is_complete = self.is_denied or (is_read and is_over)
        if is_read:
            self._has_looked_at_end = False  # for the next time

    @contextmanager
    def _denial(self) -> Iterator[None]:
        """Warn, once, if reading logs is not allowed, and the log is optional; nothing is read then."""
        try:
            yield
        except AccessDeniedError as error:
            if not (self._is_optional and is_denied(error)):
                raise
            self.is_denied = True
            self._account.warn_once("logs", f"The logs of training jobs cannot be read: {error.detail}")

    def _find_streams(self) -> None:
        self._looked = self._account.clock()
        pages = (
            self._account.client("logs")
            .get_paginator("describe_log_streams")
            .paginate(logGroupName=_LOG_GROUP, logStreamNamePrefix=f"{self._job_name}/")
        )
        try:
            with translated():
                for stream in (stream for page in pages for stream in page["logStreams"]):
                    self._tokens.setdefault(stream["logStreamName"], None)
        except ServiceError as error:
            if not is_missing(error):  # the group is created with the first job that logs
                raise

    def _page(self, stream: str) -> tuple[list[Line], str]:
        """Return the next page of a stream, and the token of the one after it; at the end, the token stays the same."""
        before = self._tokens[stream]
        position = {} if before is None else {"nextToken": before}
        with translated():
            page = self._account.client("logs").get_log_events(
                logGroupName=_LOG_GROUP, logStreamName=stream, startFromHead=True, **position
            )
        lines = [(datetime.fromtimestamp(one["timestamp"] / 1000, UTC), one["message"]) for one in page["events"]]
        return lines, page["nextForwardToken"]


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
