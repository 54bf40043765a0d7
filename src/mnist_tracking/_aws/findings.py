"""What the log of a job shows of its metrics, and SageMaker does not keep: found once, and recorded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import decode_parameters
from mnist_tracking._aws.errors import is_missing
from mnist_tracking._aws.jobs import end_of
from mnist_tracking._aws.logs import JobLog
from mnist_tracking._aws.marks import mark
from mnist_tracking._aws.metrics import metric_regexes, points_in
from mnist_tracking._aws.outcomes import final_values, is_final
from mnist_tracking._aws.waiting import Polling, is_settled
from mnist_tracking._values.markers import (
    BILLABLE,
    CHECKED,
    DROPPED,
    NON_FINITE,
    REPORTED,
    STOP_REASON,
    SWEEP,
    TAIL,
    tail_parameters,
)
from mnist_tracking._values.metric_lines import LogSearch
from mnist_tracking._values.records import Component, Metric, MetricPoint, ParameterValue
from mnist_tracking._values.reported import pack_values
from mnist_tracking._values.sweeps import place_in
from mnist_tracking.errors import ServiceError

_LONGEST_VALUE = 2500


@attrs.frozen
class Findings:
    """
    What the log of a job shows of its metrics.

    Attributes:
        non_finite: The metrics that end with a value that is not finite, and that value.
        dropped: What SageMaker does not have of a metric, in words.
        tails: The last finite values of each metric, the oldest first.
        reported: The values of the objective of a trial of a sweep, by step.
        is_complete: Whether every metric of the job was read to its end.
        lacks_lines: Whether the log had fewer values than SageMaker has recorded: more lines should come.
    """

    non_finite: Mapping[str, str]
    dropped: Mapping[str, str]
    tails: Mapping[str, tuple[float, ...]]
    reported: Mapping[int, float]
    is_complete: bool
    lacks_lines: bool

    @property
    def parameters(self) -> dict[str, ParameterValue]:
        """The parameters that record them on the trial component."""
        return {
            **{f"{NON_FINITE}{name}": value for name, value in self.non_finite.items()},
            **{f"{DROPPED}{name}": text[:_LONGEST_VALUE] for name, text in self.dropped.items()},
            **tail_parameters(self.tails, longer_than=2 if self.is_complete else 0),  # shows which metrics were read
            **({REPORTED: pack_values(self.reported, _LONGEST_VALUE)} if self.reported else {}),
            **({CHECKED: True} if self.is_complete else {}),
        }


class MetricCheck:
    """
    Reads the log of a job, line by line, for the values of its metrics, and for what SageMaker does not keep of them.

    Args:
        job: The response of DescribeTrainingJob, at any time.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._search = LogSearch(metric_regexes(job))
        self._objective = _objective(job)
        self._reported: dict[int, float] = {}
        self._has_read = False

    def points(self, moment: datetime, line: str) -> list[MetricPoint]:
        """Read another line, and return the values in it."""
        self._has_read = True
        points = list(points_in(self._search, moment, line))
        for point in points:
            if point.metric == self._objective:
                self._reported.setdefault(point.step, point.value)
        return points

    def is_behind(self, job: Mapping[str, Any]) -> bool:
        """
        Whether a metric ends with a value that was not among the last ones that were read.

        Args:
            job: The response of DescribeTrainingJob after the end of the job.
        """
        finals, tails = final_values(job), self._search.tails
        return any(not any(is_final(value, finals[name]) for value in tails[name]) for name in finals.keys() & tails)

    def findings(self, metrics: Mapping[str, Metric]) -> Findings:
        """
        Return what was found so far.

        Args:
            metrics: The metrics of the job as SageMaker has recorded them. One of which the log has fewer values was
                not read to its end; nor was one that the job has not printed.
        """
        kept = self._search.kept
        behind = {name for name in kept if name in metrics and kept[name] < metrics[name].count}
        is_complete = self._has_read and bool(kept) and not behind and kept.keys() >= metrics.keys()
        non_finite = {name: value for name, value in self._search.non_finite.items() if name not in behind}
        tails = {name: tail for name, tail in self._search.tails.items() if name not in behind}
        return Findings(
            non_finite,
            self._search.dropped,
            tails,
            dict(self._reported),
            is_complete=is_complete,
            lacks_lines=bool(behind),
        )


def _objective(job: Mapping[str, Any]) -> str:
    """Return the metric of the objective of a trial of a sweep; empty for others."""
    stored = {name: {"StringValue": text} for name, text in job.get("HyperParameters", {}).items() if name == SWEEP}
    place = place_in(decode_parameters(stored))
    return place.objective if place else ""


def read_findings(account: Account, job: Mapping[str, Any], metrics: Mapping[str, Metric]) -> Findings:
    """
    Read the whole log of a job that has ended, which CloudWatch may be behind.

    If the job has ended just now, and the log has fewer values than SageMaker has recorded, this waits for the lines
    until `Timing.settled_within_s`.

    Args:
        account: Where the job is.
        job: The response of DescribeTrainingJob after the end of the job.
        metrics: The metrics of the job as SageMaker has recorded them.
    """
    check, log, ended = MetricCheck(job), JobLog(account, job["TrainingJobName"], is_optional=True), end_of(job)
    findings = check.findings(metrics)
    for _ in Polling(account, timeout_s=account.timing.settled_within_s):
        for moment, line in log.last_lines(ended):
            check.points(moment, line)
        findings = check.findings(metrics)
        if not findings.lacks_lines or log.is_denied or is_settled(account, ended):
            break
    return findings


def with_findings(component: Component, findings: Findings) -> Component:
    """Return a component as it is with the findings recorded."""
    names = {*findings.non_finite, *findings.dropped, *component.metrics}
    outdated = (
        {f"{kind}{name}" for kind in (NON_FINITE, DROPPED, TAIL) for name in names} if findings.is_complete else set()
    )
    parameters = {name: value for name, value in component.parameters.items() if name not in outdated}
    return attrs.evolve(component, parameters={**parameters, **findings.parameters})


def with_stop_reason(component: Component, reason: str) -> Component:
    """Return the component of a job as it is with the reason recorded why the job was stopped; empty if it was not."""
    others = {name: value for name, value in component.parameters.items() if name != STOP_REASON}
    return attrs.evolve(component, parameters={**others, **({STOP_REASON: reason} if reason else {})})


def with_billable_time(component: Component, job: Mapping[str, Any]) -> Component:
    """Return the component of a job as it is with the seconds recorded that SageMaker bills for each instance."""
    seconds = job.get("BillableTimeInSeconds")
    recorded = {} if seconds is None else {BILLABLE: str(seconds)}
    return attrs.evolve(component, parameters={**component.parameters, **recorded})


def record_findings(account: Account, before: Component, after: Component) -> None:
    """Record the reserved parameters in which two versions of a component differ; warn if that is not allowed."""
    changed = {name: value for name, value in after.parameters.items() if before.parameters.get(name) != value}
    removed = before.parameters.keys() - after.parameters.keys()
    if not changed and not removed:
        return
    try:
        mark(account, after.name, changed, removed)
    except ServiceError as error:
        if is_missing(error):
            return  # a program that waits for the job later records them
        account.warn_once(
            "findings",
            f"Findings about metrics, stop reasons and billable seconds cannot be recorded with trials: {error}",
        )
