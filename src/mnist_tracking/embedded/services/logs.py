"""CloudWatch Logs: what jobs and endpoints printed."""

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves

_PAGE = 10_000


@serves("logs", "DescribeLogStreams")
def describe_log_streams(call: Call) -> Response:
    group, prefix = call.params["logGroupName"], call.params.get("logStreamNamePrefix", "")
    with call.engine.store.read() as connection:
        rows = connection.execute(
            "SELECT stream, min(timestamp) AS first, max(timestamp) AS last FROM log_events "
            "WHERE log_group = ? AND substr(stream, 1, ?) = ? GROUP BY stream ORDER BY stream LIMIT ?",
            (group, len(prefix), prefix, call.params.get("limit", 50)),
        ).fetchall()
    streams = [
        {
            "logStreamName": row["stream"],
            "firstEventTimestamp": int(row["first"] * 1000),
            "lastEventTimestamp": int(row["last"] * 1000),
        }
        for row in rows
    ]
    return {"logStreams": streams}


@serves("logs", "GetLogEvents")
def get_log_events(call: Call) -> Response:
    """Answer one page; the token is ``f/<id>``: the last event that was given, and an empty page is the end."""
    params = call.params
    after = int(params.get("nextToken", "f/0").split("/")[1])
    with call.engine.store.read() as connection:
        where = "log_group = ? AND stream = ?"
        about = (params["logGroupName"], params["logStreamName"])
        if connection.execute(f"SELECT 1 FROM log_events WHERE {where} LIMIT 1", about).fetchone() is None:
            raise AwsFault("The specified log stream does not exist.", code="ResourceNotFoundException")
        rows = connection.execute(
            f"SELECT * FROM log_events WHERE {where} AND id > ? AND timestamp >= ? ORDER BY id LIMIT ?",
            (*about, after, params.get("startTime", 0) / 1000, params.get("limit", _PAGE)),
        ).fetchall()
    last = rows[-1]["id"] if rows else after
    return {
        "events": [
            {
                "timestamp": int(row["timestamp"] * 1000),
                "message": row["message"],
                "ingestionTime": int(row["timestamp"] * 1000),
            }
            for row in rows
        ],
        "nextForwardToken": f"f/{last}",
        "nextBackwardToken": f"b/{rows[0]['id'] if rows else after}",
    }
