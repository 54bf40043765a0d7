"""JobWatch: the news of a training job, poll by poll."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.findings import MetricCheck
from mnist_tracking._aws.jobs import describe_job, end_of
from mnist_tracking._aws.logs import JobLog, Line
from mnist_tracking._aws.waiting import Polling
from mnist_tracking._values.records import Update
from mnist_tracking.errors import JobTimeoutError

_BEFORE_TRAINING = frozenset(
    {
        "Starting",
        "Pending",
        "LaunchingMLInstances",
        "PreparingTrainingStack",
        "Downloading",
        "DownloadingTrainingImage",
    }
)


class JobWatch:
    """
    Reads a job's status, its log and the values of its metrics, poll by poll, and stores its place in the log.

    A poll makes at most two calls for a job on one host: DescribeTrainingJob until the job has ended, and then
    DescribeLogStreams, if a stream may be missing, or GetLogEvents. Each host has a stream of its own: a poll makes one
    call of GetLogEvents for each of them.

    Args:
        account: Where the job is.
        job_name: The job.
        is_optional: If reading logs is not allowed, warn and read none.
    """

    def __init__(self, account: Account, job_name: str, *, is_optional: bool = True) -> None:
        self._account, self._job_name = account, job_name
        self._log = JobLog(account, job_name, is_optional=is_optional)
        self._job: Mapping[str, Any] | None = None

    @property
    def job(self) -> Mapping[str, Any]:
        """The last response of DescribeTrainingJob."""
        if self._job is None:
            self._job = describe_job(self._account, self._job_name)
        return self._job

    @cached_property
    def check(self) -> MetricCheck:
        """What was found in the lines so far."""
        return MetricCheck(self.job)

    def poll(self) -> Update:
        """
        Return what is new since the last call.

        Raises:
            AccessDeniedError: If reading logs is not allowed, and the log is not optional.
        """
        if self._job is None or not (end_of(self._job) or self._log.has_more):
            self._job = describe_job(self._account, self._job_name)
        lines = self._lines(self._job)
        points = [point for moment, line in lines for point in self.check.points(moment, line)]
        return Update(
            status=self._job["TrainingJobStatus"],
            secondary_status=self._job.get("SecondaryStatus", ""),
            points=tuple(points),
            lines=tuple(line for _, line in lines),
            is_ended=self._log.is_complete,
        )

    def _lines(self, job: Mapping[str, Any]) -> list[Line]:
        """Return the next lines; nothing is logged before a job's first host trains."""
        if not self._log.has_streams and job.get("SecondaryStatus") in _BEFORE_TRAINING:
            return []
        ended = end_of(job)
        is_behind = ended is not None and self.check.is_behind(job)
        return self._log.read_on(streams=_streams_of(job), ended=ended, is_behind=is_behind)

    def follow(
        self, *, timeout_s: float | None = None, on_poll: Callable[[], object] | None = None
    ) -> Iterator[Update]:
        """
        Poll until the log of the job is complete, and yield each poll's update, also if nothing is new.

        Args:
            timeout_s: Give up waiting for the job after this many seconds.
            on_poll: Called before each request for the job's status.

        Raises:
            JobTimeoutError: If the job takes longer than *timeout_s*.
        """
        yield from self._follow_job(timeout_s, on_poll)
        pauses = islice(Polling(self._account), 1, None)
        while not self._log.is_complete:
            next(pauses)
            yield from self._catch_up()

    def _follow_job(self, timeout_s: float | None, on_poll: Callable[[], object] | None) -> Iterator[Update]:
        for _ in Polling(self._account, timeout_s=timeout_s):
            if on_poll is not None:
                on_poll()
            yield from self._catch_up()
            if end_of(self.job):
                return
        raise JobTimeoutError(self._job_name, timeout_s or 0.0)

    def _catch_up(self) -> Iterator[Update]:
        """Yield a poll, and further ones until everything that is there has been read."""
        yield self.poll()
        while self._log.has_more:
            yield self.poll()


def _streams_of(job: Mapping[str, Any]) -> int:
    """Return how many log streams a job should have: one for each of its hosts, each time that it was started."""
    resources = job["ResourceConfig"]
    hosts = sum(int(group["InstanceCount"]) for group in resources.get("InstanceGroups") or [resources])
    starts = [each["Status"] for each in job.get("SecondaryStatusTransitions", ())].count("Training")
    return hosts * max(starts, 1)
