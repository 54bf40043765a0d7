"""Metrics: values sent to a component, and every value read back."""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.jobs import describe_job
from mnist_tracking._aws.logs import JobLog
from mnist_tracking._values.records import Component, MetricPoint, MetricSeries
from mnist_tracking.errors import ServiceError

_MOST_PER_CALL = 10
_QUERIES_PER_CALL = 100
_STEP = re.compile(r" step=(\d+);")  # behind the value, where `mnist_tracking.job.log_metric` prints it


def put_metrics(account: Account, component: str, values: Mapping[str, float], steps: Mapping[str, int]) -> None:
    """
    Send one value for each of several metrics of a component.

    Args:
        account: Where the component is.
        component: Its name.
        values: The values, by metric.
        steps: The steps of the values, by metric.

    Raises:
        ServiceError: If SageMaker rejects a value; those sent before it are recorded.
    """
    now = datetime.fromtimestamp(time.time(), UTC)
    data = [
        {"MetricName": name, "Value": value, "Step": steps[name], "Timestamp": now} for name, value in values.items()
    ]
    client = account.client("sagemaker-metrics")
    for start in range(0, len(data), _MOST_PER_CALL):
        batch = data[start : start + _MOST_PER_CALL]
        with translated():  # the service accepts names in lower case only, and ignores case when it compares them
            response = client.batch_put_metrics(TrialComponentName=component.lower(), MetricData=batch)
        for error in response.get("Errors", ()):
            name = batch[error["MetricIndex"]]["MetricName"]
            raise ServiceError(error["Code"], "BatchPutMetrics", f"the value of metric {name!r} was not recorded")


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
    sent = [name for name in component.metrics if name not in printed]
    return dict(sorted({**printed, **_sent(account, component, sent)}.items()))


def job_series(
    account: Account, job_name: str, on_line: Callable[[str], object] | None = None
) -> dict[str, MetricSeries]:
    """Return every value that a job has printed so far, by metric."""
    definitions = describe_job(account, job_name)["AlgorithmSpecification"].get("MetricDefinitions", [])
    lines = _tee(JobLog(account, job_name).new_lines(), on_line)
    return series_in_log(lines, {item["Name"]: item["Regex"] for item in definitions})


def _tee(
    lines: Iterable[tuple[datetime, str]], on_line: Callable[[str], object] | None
) -> Iterator[tuple[datetime, str]]:
    for moment, line in lines:
        if on_line is not None:
            on_line(line)
        yield moment, line


def series_in_log(lines: Iterable[tuple[datetime, str]], regexes: Mapping[str, str]) -> dict[str, MetricSeries]:
    """Find metric values in the lines of a log, as the service does: in the first group of a line's first match."""
    compiled = {name: re.compile(regex) for name, regex in regexes.items()}
    found: dict[str, list[MetricPoint]] = {}
    for moment, line in lines:
        for name, regex in compiled.items():
            match = regex.search(line)
            if match and (value := _as_float(match.group(1))) is not None:
                points = found.setdefault(name, [])
                step = _STEP.match(line, match.end(1))
                points.append(MetricPoint(int(step.group(1)) if step else len(points), value, moment))
    return {name: MetricSeries(name, tuple(points)) for name, points in found.items()}


def _as_float(text: str | None) -> float | None:
    """Return a matched string as a finite number, which the service would record; None otherwise."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _sent(account: Account, component: Component, names: Sequence[str]) -> dict[str, MetricSeries]:
    found = {}
    for start in range(0, len(names), _QUERIES_PER_CALL):
        batch = names[start : start + _QUERIES_PER_CALL]
        with translated():
            response = account.client("sagemaker-metrics").batch_get_metrics(
                MetricQueries=[_metric_query(component.arn, name) for name in batch]
            )
        for name, result in zip(batch, response["MetricQueryResults"], strict=True):
            found[name] = MetricSeries(name, _points(name, result))
    return found


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
    return tuple(MetricPoint(int(step), float(value), None) for step, value in values)
