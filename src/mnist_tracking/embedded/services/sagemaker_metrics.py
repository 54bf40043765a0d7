"""The service sagemaker-metrics: metric values of components, written and read."""

import math
import sqlite3
from typing import Any

from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import name_in
from mnist_tracking.embedded.store.components import find_component
from mnist_tracking.embedded.store.metric_summaries import record_metric, values_of
from mnist_tracking.embedded.times import as_seconds

_OLDEST_S = 14 * 24 * 3600
_NEWEST_S = 2 * 3600


@serves("sagemaker-metrics", "BatchPutMetrics")
def batch_put_metrics(call: Call) -> Response:
    now = call.context.now()
    errors = []
    with call.context.store.write() as connection:
        component = find_component(connection, name_in(call.params["TrialComponentName"]))
        for index, metric in enumerate(call.params["MetricData"]):
            value, timestamp = float(metric["Value"]), as_seconds(metric["Timestamp"])
            if component is None or not math.isfinite(value) or not -_NEWEST_S <= now - timestamp <= _OLDEST_S:
                errors.append({"Code": "VALIDATION_ERROR", "MetricIndex": index})
            else:
                record_metric(connection, component.id, metric["MetricName"], value, timestamp, metric.get("Step"))
    return {"Errors": errors} if errors else {}


@serves("sagemaker-metrics", "BatchGetMetrics")
def batch_get_metrics(call: Call) -> Response:
    with call.context.store.read() as connection:
        return {"MetricQueryResults": [_query(connection, query) for query in call.params["MetricQueries"]]}


def _query(connection: sqlite3.Connection, query: dict[str, Any]) -> Response:
    component = find_component(connection, name_in(query["ResourceArn"]))
    if component is None:
        return {
            "Status": "ValidationError",
            "Message": "The resource does not exist.",
            "XAxisValues": [],
            "MetricValues": [],
        }
    rows = values_of(connection, component.id, query["MetricName"])
    by_step = query["XAxisType"] == "IterationNumber"
    axis = [step or 0 if by_step else int(timestamp) for step, _, timestamp in rows]
    return {"Status": "Complete", "XAxisValues": axis, "MetricValues": [value for _, value, _ in rows]}
