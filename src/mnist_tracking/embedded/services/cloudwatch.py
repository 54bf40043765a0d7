"""CloudWatch: the metrics of training jobs, summarised by period."""

import sqlite3
from typing import Any

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.times import as_datetime, as_seconds

_NAMESPACE = "/aws/sagemaker/TrainingJobs"
_MOST_DATAPOINTS = 1440
_COLUMNS = {"SampleCount": "samples", "Average": "average", "Sum": "total", "Minimum": "least", "Maximum": "most"}


@serves("cloudwatch", "GetMetricStatistics")
def get_metric_statistics(call: Call) -> Response:
    """Summarise the values of a job's metric in each period. An unknown job or metric has no datapoints."""
    params = call.params
    _check(params)
    rows = _bins(call, params) if params["Namespace"] == _NAMESPACE else []
    return {"Label": params["MetricName"], "Datapoints": [_datapoint(row, params) for row in rows]}


def _check(params: Params) -> None:
    start, end, period = as_seconds(params["StartTime"]), as_seconds(params["EndTime"]), params["Period"]
    if params.get("ExtendedStatistics") or not params.get("Statistics"):
        raise AwsFault(
            "At least one of Statistics is required; percentiles are not supported.", code="InvalidParameterCombination"
        )
    if start >= end:
        message = "The parameter StartTime must be less than the parameter EndTime."
        raise AwsFault(message, code="InvalidParameterValue")
    if period >= 60 and period % 60:
        message = "The parameter Period must be a multiple of 60, or less than 60."
        raise AwsFault(message, code="InvalidParameterValue")
    if (end - start) / period > _MOST_DATAPOINTS:
        message = (
            f"You have requested more than {_MOST_DATAPOINTS} datapoints: make Period larger, or the span shorter."
        )
        raise AwsFault(message, code="InvalidParameterCombination")


def _bins(call: Call, params: Params) -> list[sqlite3.Row]:
    job = {dimension["Name"]: dimension["Value"] for dimension in params.get("Dimensions", ())}.get("TrainingJobName")
    values = {
        "job": job,
        "metric": params["MetricName"],
        "start": as_seconds(params["StartTime"]) // 60 * 60,  # CloudWatch rounds it down to the whole minute
        "end": as_seconds(params["EndTime"]),
        "period": params["Period"],
    }
    with call.context.store.read() as connection:
        return connection.execute(
            """
            SELECT CAST(m.timestamp / :period AS INTEGER) * :period AS time, count(*) AS samples,
                   avg(m.value) AS average, total(m.value) AS total, min(m.value) AS least, max(m.value) AS most
            FROM metric_values m JOIN training_jobs j ON j.component_id = m.component_id
            WHERE j.name = :job AND m.name = :metric AND m.timestamp >= :start AND m.timestamp < :end
            GROUP BY time ORDER BY time
            """,
            values,
        ).fetchall()


def _datapoint(row: sqlite3.Row, params: Params) -> dict[str, Any]:
    statistics = {name: float(row[_COLUMNS[name]]) for name in params["Statistics"]}
    return {"Timestamp": as_datetime(row["time"]), "Unit": "None", **statistics}
