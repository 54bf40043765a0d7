"""CloudWatch Logs: the output of jobs and endpoints."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.store.objects import after_prefix

_PAGE = 10_000
_STREAMS = 50
_END = 2**62
_MILLISECONDS = "CAST(timestamp * 1000 AS INTEGER)"


@serves("logs", "DescribeLogStreams")
def describe_log_streams(call: Call) -> Response:
    """
    List streams. The response never has a token, even if there are more streams.

    The SageMaker SDK sends requests for as long as it gets a token. A group that does not exist has no streams.
    """
    params, prefix = call.params, call.params.get("logStreamNamePrefix", "")
    order = "last" if params.get("orderBy") == "LastEventTime" else "stream"
    direction = "DESC" if params.get("descending") else "ASC"
    end = after_prefix(prefix)
    bound, values = ("", ()) if end is None else (" AND stream < ?", (end,))
    with call.context.store.read() as connection:
        rows = connection.execute(
            f"SELECT stream, min({_MILLISECONDS}) AS first, max({_MILLISECONDS}) AS last FROM log_events "
            f"WHERE log_group = ? AND stream >= ?{bound} GROUP BY stream ORDER BY {order} {direction} LIMIT ?",
            (_group(params), prefix, *values, params.get("limit", _STREAMS)),
        ).fetchall()
    return {"logStreams": [_stream(row) for row in rows]}


def _stream(row: sqlite3.Row) -> Response:
    return {
        "logStreamName": row["stream"],
        "creationTime": row["first"],
        "firstEventTimestamp": row["first"],
        "lastEventTimestamp": row["last"],
        "lastIngestionTime": row["last"],
    }


@serves("logs", "GetLogEvents")
def get_log_events(call: Call) -> Response:
    """
    Return one page of a stream, oldest line first. An empty page with the token of the request is the end.

    A token is a direction and the number of an event: ``f/12`` continues after event 12, ``b/12`` goes back from it.
    Without a token, the page is the last one, or the first with *startFromHead*.
    """
    params = call.params
    direction, place = _token(params)
    about = (_group(params), params["logStreamName"])
    with call.context.store.read() as connection:
        where = "log_group = ? AND stream = ?"
        if connection.execute(f"SELECT 1 FROM log_events WHERE {where} LIMIT 1", about).fetchone() is None:
            raise AwsFault("The specified log stream does not exist.", code="ResourceNotFoundException")
        side, order = ("id > ?", "ASC") if direction == "f" else ("id < ?", "DESC")
        span = f"{_MILLISECONDS} >= ? AND {_MILLISECONDS} < ?"
        times = (params.get("startTime", 0), params.get("endTime", _END))
        rows = connection.execute(
            f"SELECT *, {_MILLISECONDS} AS time FROM log_events WHERE {where} AND {side} AND {span} "
            f"ORDER BY id {order} LIMIT ?",
            (*about, place, *times, params.get("limit", _PAGE)),
        ).fetchall()
    rows = rows if direction == "f" else rows[::-1]
    return {"events": [_event(row) for row in rows], **_tokens(rows, direction, place)}


def _token(params: Params) -> tuple[str, int]:
    token = params.get("nextToken") or ("f/0" if params.get("startFromHead") else f"b/{_END}")
    direction, _, place = token.partition("/")
    if direction not in ("f", "b") or not place.isdecimal() or int(place) > _END:
        raise AwsFault("The specified nextToken is invalid.", code="InvalidParameterException")
    return direction, int(place)


def _tokens(rows: Sequence[sqlite3.Row], direction: str, place: int) -> dict[str, str]:
    """Return the tokens around a page; after an empty page, they lead to events that are logged later, and back."""
    if rows:
        return {"nextForwardToken": f"f/{rows[-1]['id']}", "nextBackwardToken": f"b/{rows[0]['id']}"}
    before_place, after_place = (place - 1, place) if direction == "b" else (place, place + 1)
    return {"nextForwardToken": f"f/{before_place}", "nextBackwardToken": f"b/{after_place}"}


def _event(row: sqlite3.Row) -> dict[str, Any]:
    return {"timestamp": row["time"], "message": row["message"] or " ", "ingestionTime": row["time"]}


def _group(params: Params) -> str:
    """Return the name of the group, which may be given by its ARN."""
    name: str | None = params.get("logGroupName")
    identifier = name or params.get("logGroupIdentifier")
    if not identifier:
        raise AwsFault("Either logGroupName or logGroupIdentifier is required.", code="InvalidParameterException")
    return identifier.partition(":log-group:")[2].removesuffix(":*") or identifier
