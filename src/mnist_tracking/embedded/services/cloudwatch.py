"""CloudWatch: the metrics of training jobs, summarised by period."""

from typing import Any

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.store.metric_summaries import MetricPeriod, periods_of
from mnist_tracking.embedded.times import as_datetime, as_seconds

_NAMESPACE = "/aws/sagemaker/TrainingJobs"
_MOST_DATAPOINTS = 1440
_FIELDS = {"SampleCount": "count", "Average": "mean", "Sum": "total", "Minimum": "minimum", "Maximum": "maximum"}


@serves("cloudwatch", "GetMetricStatistics")
def get_metric_statistics(call: Call) -> Response:
    """Summarise the values of a job's metric in each period. An unknown job or metric has no datapoints."""
    params = call.params
    _check(params)
    found = _periods(call, params) if params["Namespace"] == _NAMESPACE else []
    return {"Label": params["MetricName"], "Datapoints": [_datapoint(period, params) for period in found]}


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


def _periods(call: Call, params: Params) -> list[MetricPeriod]:
    job = {dimension["Name"]: dimension["Value"] for dimension in params.get("Dimensions", ())}.get("TrainingJobName")
    start = as_seconds(params["StartTime"]) // 60 * 60  # CloudWatch rounds it down to the whole minute
    with call.context.store.read() as connection:
        span = (start, as_seconds(params["EndTime"]))
        return list(periods_of(connection, job, params["MetricName"], span, params["Period"]))


def _datapoint(period: MetricPeriod, params: Params) -> dict[str, Any]:
    statistics = {name: float(getattr(period, _FIELDS[name])) for name in params["Statistics"]}
    return {"Timestamp": as_datetime(period.time), "Unit": "None", **statistics}
