"""CloudWatch Logs: the output of jobs and endpoints."""

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.store.objects import after_prefix

_PAGE = 10_000
_STREAMS = 50
_END = 2**62
_TOKEN = re.compile(r"([fb])/([0-9]{1,19})(\+?)")
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
    Return one page of a stream, oldest line first. A page that returns the token of its request is the end.

    A token is a direction and the number of an event: ``f/12`` continues after event 12, ``b/12`` goes back from it.
    Without a token, the page is the last one, or the first with *startFromHead*. As on AWS, a page may be empty before
    the end: those of every third number are, once; their next token, such as ``f/12+``, leads to the events.
    """
    params = call.params
    direction, place, again = _token(params)
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
    if rows and place and place % 3 == 0 and not again:
        rows, again = [], "+"
    rows = rows if direction == "f" else rows[::-1]
    return {"events": [_event(row) for row in rows], **_tokens(rows, direction, place, again)}


def _token(params: Params) -> tuple[str, int, str]:
    """Return the direction, the number and the ending of a token."""
    token = params.get("nextToken", "f/0" if params.get("startFromHead") else f"b/{_END}")
    found = _TOKEN.fullmatch(token)
    if found is None or int(found[2]) > _END:
        raise AwsFault("The specified nextToken is invalid.", code="InvalidParameterException")
    return found[1], int(found[2]), found[3]


def _tokens(rows: Sequence[sqlite3.Row], direction: str, place: int, again: str) -> dict[str, str]:
    """Return the tokens around a page; those around an empty one lead to what comes later, and back."""
    if rows:
        forward, backward = f"f/{rows[-1]['id']}", f"b/{rows[0]['id']}"
    elif direction == "f":
        forward, backward = f"f/{place}{again}", f"b/{place + 1}"
    else:
        forward, backward = f"f/{place - 1}", f"b/{place}{again}"
    return {"nextForwardToken": forward, "nextBackwardToken": backward}


def _event(row: sqlite3.Row) -> dict[str, Any]:
    return {"timestamp": row["time"], "message": row["message"] or " ", "ingestionTime": row["time"]}


def _group(params: Params) -> str:
    """Return the name of the group, which may be given by its ARN."""
    name: str | None = params.get("logGroupName")
    identifier = name or params.get("logGroupIdentifier")
    if not identifier:
        raise AwsFault("Either logGroupName or logGroupIdentifier is required.", code="InvalidParameterException")
    return identifier.partition(":log-group:")[2].removesuffix(":*") or identifier
