"""Metrics: values sent to a component, and every value read back."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.jobs import describe_job
from mnist_tracking._aws.logs import JobLog
from mnist_tracking._values.metric_lines import LogSearch
from mnist_tracking._values.records import Component, MetricPoint, MetricSeries
from mnist_tracking._values.warning import warn
from mnist_tracking.errors import ServiceError

_MOST_PER_CALL = 10
_QUERIES_PER_CALL = 100


def put_metrics(
    account: Account, component: str, values: Mapping[str, float], steps: Mapping[str, int]
) -> Iterator[str]:
    """
    Send one value for each of several metrics of a component, and yield the name of each that was recorded.

    Args:
        account: Where the component is.
        component: Its name.
        values: The values, by metric.
        steps: The steps of the values, by metric.

    Raises:
        ServiceError: If SageMaker rejects a value, after the names of those that were recorded.
    """
    now = datetime.fromtimestamp(time.time(), UTC)
    data: list[dict[str, Any]] = [
        {"MetricName": name, "Value": value, "Step": steps[name], "Timestamp": now} for name, value in values.items()
    ]
    client = account.client("sagemaker-metrics")
    for start in range(0, len(data), _MOST_PER_CALL):
        batch = data[start : start + _MOST_PER_CALL]
        with translated():  # the service accepts names in lower case only, and ignores case when it compares them
            response = client.batch_put_metrics(TrialComponentName=component.lower(), MetricData=batch)
        rejected = {error["MetricIndex"]: error["Code"] for error in response.get("Errors", ())}
        yield from (sent["MetricName"] for index, sent in enumerate(batch) if index not in rejected)
        for index, code in rejected.items():
            name = batch[index]["MetricName"]
            raise ServiceError(code, "BatchPutMetrics", f"the value of metric {name!r} was not recorded")


def read_series(
    account: Account, component: Component, *, on_line: Callable[[str], object] | None = None
) -> dict[str, MetricSeries]:
    """
    Return every value of every metric of a component.

    Values that a training job printed are read from its log, by the job's metric definitions, since the service returns
    only one value per minute. Values sent with a step are read from the service. *on_line* is called with each line of
    the log.
    """
    printed = job_series(account, component.job_name, on_line) if component.job_name else {}
    sent = [name for name in component.last_values if not printed.get(name)]
    return dict(sorted({**printed, **_sent(account, component, sent)}.items()))


def job_series(
    account: Account, job_name: str, on_line: Callable[[str], object] | None = None
) -> dict[str, MetricSeries]:
    """Return every value that a job has printed so far, by metric."""
    lines = _tee(JobLog(account, job_name).new_lines(), on_line)
    return series_in_log(lines, metric_regexes(describe_job(account, job_name)))


def warn_of_dropped(trial: str, dropped: Iterable[str]) -> None:
    """Warn of values that a trial has logged, and that SageMaker does not have: one text for each metric."""
    for text in dropped:
        warn(f"Trial {trial!r}: {text}")


def metric_regexes(job: Mapping[str, Any]) -> dict[str, str]:
    """Return the regular expression of each metric, given the response of DescribeTrainingJob."""
    definitions = job["AlgorithmSpecification"].get("MetricDefinitions", [])
    return {definition["Name"]: definition["Regex"] for definition in definitions}


def _tee(
    lines: Iterable[tuple[datetime, str]], on_line: Callable[[str], object] | None
) -> Iterator[tuple[datetime, str]]:
    for moment, line in lines:
        if on_line is not None:
            on_line(line)
        yield moment, line


def series_in_log(lines: Iterable[tuple[datetime, str]], regexes: Mapping[str, str]) -> dict[str, MetricSeries]:
    """Find metric values in the lines of a log, as the service does; a metric that no line matches has no series."""
    search, found = LogSearch(regexes), dict[str, list[MetricPoint]]()
    for moment, line in lines:
        for point in points_in(search, moment, line):
            found.setdefault(point.metric, []).append(point)
    last, dropped = search.non_finite, search.dropped
    return {
        name: MetricSeries(name, tuple(found.get(name, ())), last.get(name, ""), dropped.get(name, ""))
        for name in regexes
        if name in found or name in dropped
    }


def points_in(search: LogSearch, moment: datetime, line: str) -> Iterator[MetricPoint]:
    """Yield the values in another line of a log, which was logged at *moment*."""
    for found in search.find(line, moment.timestamp()):
        yield MetricPoint(found.name, found.step, found.value, moment)


def _sent(account: Account, component: Component, names: Sequence[str]) -> dict[str, MetricSeries]:
    points: dict[str, tuple[MetricPoint, ...]] = {}
    queried = [name for name in names if name in component.metrics]
    for start in range(0, len(queried), _QUERIES_PER_CALL):
        batch = queried[start : start + _QUERIES_PER_CALL]
        with translated():
            response = account.client("sagemaker-metrics").batch_get_metrics(
                MetricQueries=[_metric_query(component.arn, name) for name in batch]
            )
        for name, result in zip(batch, response["MetricQueryResults"], strict=True):
            points[name] = _points(name, result)
    last, dropped = component.non_finite, component.dropped
    return {name: MetricSeries(name, points.get(name, ()), last.get(name, ""), dropped.get(name, "")) for name in names}


def _metric_query(arn: str, name: str) -> dict[str, str]:
    return {
        "ResourceArn": arn,
        "MetricName": name,
        "MetricStat": "Last",
        "Period": "IterationNumber",
        "XAxisType": "IterationNumber",
    }


def _points(name: str, result: Mapping[str, Any]) -> tuple[MetricPoint, ...]:
    if result["Status"] != "Complete":
        detail = result.get("Message") or f"the series of metric {name!r} is {result['Status'].lower()}"
        raise ServiceError(result["Status"], "BatchGetMetrics", detail)
    values = zip(result["XAxisValues"], result["MetricValues"], strict=True)
    return tuple(MetricPoint(name, int(step), float(value), None) for step, value in values)
