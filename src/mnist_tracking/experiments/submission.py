"""SubmittedTrial: a trial whose training job was started, to be followed, stopped or awaited from any process."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import CREATED_BY
from mnist_tracking._aws.experiments import claimed_job, jobs_of, require_trial, tags_of_trial
from mnist_tracking._aws.findings import (
    read_findings,
    record_findings,
    with_billable_time,
    with_findings,
    with_stop_reason,
)
from mnist_tracking._aws.jobs import (
    describe_job,
    end_of,
    find_job,
    job_status,
    stop_job,
    stop_reason,
    tag_component,
)
from mnist_tracking._aws.logs import JobLog, log_tail
from mnist_tracking._aws.metrics import job_series, warn_of_dropped
from mnist_tracking._aws.outcomes import wait_for_outcome
from mnist_tracking._aws.tags import tags_of
from mnist_tracking._aws.watching import JobWatch
from mnist_tracking._values.checks import check_line, check_timeout
from mnist_tracking._values.markers import INTERRUPTED, STOP_REASON
from mnist_tracking._values.records import (
    Component,
    MetricPoint,
    MetricSeries,
    ParameterValue,
    Status,
    Update,
    trial_name_of,
)
from mnist_tracking._values.warning import warn
from mnist_tracking.errors import JobFailedError, StateError
from mnist_tracking.experiments.hints import failure_hint, loss_hint
from mnist_tracking.experiments.observers import Observers, TrialObserver
from mnist_tracking.reading.trial import Trial, trial_from_component

__all__ = ["SubmittedTrial"]

_TAIL = 20
"""How many lines at the end of a log are looked at."""
_LONGEST_REASON = 256


class SubmittedTrial:
    """
    A trial whose training job was started, from `ExperimentRunner.submit` or `Workspace.submitted`.

    It holds only names: the job runs without it, and any process can create another one at any time.

    Attributes:
        name: The trial's name.
        experiment: Its experiment.
        job_name: Its training job.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("train.py").write_text("print('hello')")
        >>> with Workspace.embedded() as workspace:
        ...     _ = ExperimentRunner(workspace, "churn", job=JobSpec("train.py")).submit(name="baseline")
        ...     again = workspace.submitted("baseline")  # in another program, on another day
        ...     list(again.logs(follow=True)), again.result().status
        (['hello'], 'Completed')
    """

    def __init__(
        self,
        account: Account,
        name: str,
        experiment: str,
        job_name: str,
        *,
        tags: Mapping[str, str] | None = None,
        is_tagged: bool = False,
    ) -> None:
        self.name = name
        self.experiment = experiment
        self.job_name = job_name
        self._account = account
        self._watch = JobWatch(account, job_name)
        self._tags = tags  # of a trial that this program has created
        self._is_tagged = is_tagged  # its trial component, which on AWS does not exist yet when the job was started

    def __repr__(self) -> str:
        return f"<SubmittedTrial {self.name!r}, job {self.job_name!r}>"

    @property
    def status(self) -> Status:
        """The job's status now."""
        return job_status(self._account, self.job_name)

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """
        Yield the lines of the job's log, oldest first.

        Args:
            follow: Keep yielding lines as they are logged, until the job ends.
        """
        if not follow:
            yield from (line for _, line in JobLog(self._account, self.job_name).new_lines())
            return
        for update in JobWatch(self._account, self.job_name, is_optional=False).follow():
            yield from update.lines

    def series(self) -> dict[str, MetricSeries]:
        """Return every value that the job has logged so far, by metric, also while it runs; see `Trial.series`."""
        series = job_series(self._account, self.job_name)
        warn_of_dropped(self.name, [one.dropped for one in series.values() if one.dropped])
        return series

    def watch(self) -> Update:
        """
        Return what is new since the last call on this handle: the status, and the values and lines that were logged.

        It does not wait, and makes at most two calls for a job on one host, and one more for each further host. So it
        may leave lines that are there already for the next call; none is ever lost. The first call on a handle starts
        at the beginning of the log.

        On AWS, lines reach the log some seconds after they were printed, also after the job has ended: ``is_ended`` is
        true when nothing more will come. `wait` then returns at once, and records how the trial ended.

        Example:
            >>> from pathlib import Path
            >>> _ = Path("train.py").write_text("for epoch in (1, 2): print(f'Epoch {epoch}: loss={1 / epoch};')")
            >>> job = JobSpec("train.py", metrics={"loss": "loss=(.*?);"})
            >>> with Workspace.embedded() as workspace:
            ...     submitted = ExperimentRunner(workspace, "churn", job=job).submit()
            ...     points, is_ended = [], False
            ...     while not is_ended:  # and do something else meanwhile
            ...         update = submitted.watch()
            ...         points, is_ended = [*points, *update.points], update.is_ended
            >>> [(point.metric, point.step, point.value) for point in points], update.status
            ([('loss', 1, 1.0), ('loss', 2, 0.5)], 'Completed')
        """
        return self._watch.poll()

    def stop(self, *, reason: str = "stopped on request") -> None:
        """
        Stop the job, without waiting for its end. Safe to call more than once, and after the job has ended.

        Args:
            reason: Why; it is recorded before the job is stopped, and any program reads it as ``Trial.stop_reason``.

        Raises:
            ConfigError: If *reason* is not a single line of 1 to 256 characters.
        """
        stop_job(self._account, self.job_name, check_line("reason", reason, _LONGEST_REASON))

    def wait(
        self,
        *,
        timeout_s: float | None = None,
        on_line: Callable[[str], None] | None = None,
        on_status: Callable[[str], None] | None = None,
        on_point: Callable[[MetricPoint], object] | None = None,
        on_poll: Callable[[], object] | None = None,
    ) -> Trial:
        """
        Wait until the job ends, and return the trial, whatever its status.

        What SageMaker does not keep, such as NaN, is looked for in the log and recorded with the trial: see
        ``Trial.non_finite`` and ``Trial.dropped``. A warning is issued for each metric with values that were dropped.
        The reason why the job was stopped, and the values of the objective of a trial of a sweep, are recorded, too:
        see ``Trial.stop_reason`` and ``Trial.reported``.

        The trial has the final value of each metric. On AWS, these may reach the trial component some time after the
        end of the job; if one is missing after two minutes, the trial is returned without it, with a warning. A trial
        component that does not show the end of the job by then is not waited for either.

        Args:
            timeout_s: Give up waiting after this many seconds; the job keeps running.
            on_line: Called with each line of the log as it is logged.
            on_status: Called with the job's secondary status, such as ``"Downloading"``, whenever that changes.
            on_point: Called with each value of a metric as it is logged.
            on_poll: Called before each request for the job's status; an exception that it raises ends the wait.

        Raises:
            ConfigError: If *timeout_s* is negative or not a number.
            JobTimeoutError: If it takes longer than *timeout_s*.
        """
        check_timeout(timeout_s)
        watch, shown = JobWatch(self._account, self.job_name), ""
        tail = deque[str](maxlen=_TAIL)
        for update in watch.follow(timeout_s=timeout_s, on_poll=on_poll):
            if on_status is not None and update.secondary_status != shown:
                on_status(update.secondary_status)
            shown = update.secondary_status
            for line in update.lines:
                tail.append(line)
                if on_line is not None:
                    on_line(line)
            if on_point is not None:
                for point in update.points:
                    on_point(point)
        trial = self._record_end(watch)
        if trial.status == "Completed" and trial.model_uri is None and (lost := loss_hint(tail)):
            warn(f"The trial {self.name!r} has no model: {lost}")
        return trial

    def _record_end(self, watch: JobWatch) -> Trial:
        """Return the trial of a job that has ended, with what is recorded only now."""
        account, job = self._account, watch.job
        component, outstanding = wait_for_outcome(account, job)
        is_ours = self._is_tagged or self._tag(component)
        findings = watch.check.findings(component.metrics)
        if findings.lacks_lines:  # the log is behind
            findings = read_findings(account, job, component.metrics)
        reason = stop_reason(account, job, str(component.parameters.get(STOP_REASON, "")))
        before, component = component, with_billable_time(with_stop_reason(component, reason), job)
        component = with_findings(component, findings)
        if is_ours:
            record_findings(account, before, component)
        warn_of_dropped(self.name, findings.dropped.values())
        return trial_from_component(account, component, self.name, self.experiment, is_settled=not outstanding)

    def _tag(self, component: Component) -> bool:
        """Tag the component, which did not exist yet when the job was started, if this library created the trial."""
        if self._tags is None and CREATED_BY in tags_of(self._account, component.arn):
            return True
        tags = tags_of_trial(self._account, self.name) if self._tags is None else self._tags
        if is_ours := CREATED_BY in tags:
            tag_component(self._account, self.job_name, tags, component.arn)
        return is_ours

    def result(self, *, timeout_s: float | None = None) -> Trial:
        """
        Wait until the job ends, and return the trial.

        Args:
            timeout_s: Give up waiting after this many seconds; the job keeps running.

        Raises:
            JobFailedError: If training failed; carries the last lines of the log.
            JobTimeoutError: As `wait`.
        """
        trial = self.wait(timeout_s=timeout_s)
        self.raise_if_failed(trial)
        return trial

    def raise_if_failed(self, trial: Trial) -> None:
        """
        Raise JobFailedError if this trial failed.

        Raises:
            JobFailedError: If it did; carries the last lines of the log.
        """
        if trial.status == "Failed":
            job = describe_job(self._account, self.job_name)
            tail, reason = log_tail(self._account, self.job_name, end_of(job), _TAIL), str(job.get("FailureReason", ""))
            hint = failure_hint([*tail, reason], [channel["ChannelName"] for channel in job.get("InputDataConfig", ())])
            raise JobFailedError(self.job_name, reason, tail, hint)


def follow(
    submitted: SubmittedTrial,
    hyperparameters: Mapping[str, ParameterValue],
    observer: TrialObserver,
    *,
    timeout_s: float | None = None,
    on_poll: Callable[[], object] | None = None,
) -> Trial:
    """
    Wait for a trial and report to an observer; Ctrl-C also requests the job to stop.

    *on_poll* is called before each request for the job's status; an exception that it raises ends the wait.

    Raises:
        JobFailedError: If training failed; carries the last lines of the log.
        JobTimeoutError: If it takes longer than *timeout_s*.
    """
    name, observers = submitted.name, Observers(observer)
    observer.started(name, submitted.job_name, hyperparameters)
    try:
        trial = submitted.wait(
            timeout_s=timeout_s,
            on_line=lambda line: observer.logged(name, line),
            on_status=lambda status: observers.status_changed(name, status),
            on_point=lambda point: observers.reported(name, point),
            on_poll=on_poll,
        )
    except KeyboardInterrupt:
        submitted.stop(reason=INTERRUPTED)
        raise
    observer.ended(trial)
    submitted.raise_if_failed(trial)
    return trial


def attach_to_trial(account: Account, trial_name: str) -> SubmittedTrial:
    """
    Attach to a trial that was submitted earlier; see `Workspace.submitted`.

    Raises:
        NotFoundError: If the trial does not exist; the error lists the nearest names.
        StateError: If it has no training job.
    """
    listed = require_trial(account, trial_name_of(trial_name))
    jobs = jobs_of(account, trial_name)
    job = jobs[-1] if jobs else claimed_job(account, listed.name, listed.experiment)
    if job is None or not (jobs or find_job(account, job)):
        raise StateError(
            "trial", trial_name, "no-job", "has no training job to wait for; workspace.trial() reads what was recorded"
        )
    return SubmittedTrial(account, listed.name, listed.experiment, job)
