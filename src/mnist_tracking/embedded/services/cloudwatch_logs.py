"""CloudWatch Logs: the output of jobs and endpoints."""

import re
from collections.abc import Sequence
from typing import Any

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.store.logs import LogLine, LogPage, LogStream, has_stream, lines_of, streams_of

_PAGE = 10_000
_STREAMS = 50
_END = 2**62
_TOKEN = re.compile(r"([fb])/([0-9]{1,19})(\+*)")


@serves("logs", "DescribeLogStreams")
def describe_log_streams(call: Call) -> Response:
    """
    List streams. The response never has a token, even if there are more streams.

    The SageMaker SDK sends requests for as long as it gets a token. A group that does not exist has no streams.
    """
    params, prefix = call.params, call.params.get("logStreamNamePrefix", "")
    by_time, is_descending = params.get("orderBy") == "LastEventTime", params.get("descending", False)
    if by_time and prefix:
        raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    with call.context.store.read() as connection:
        limit = params.get("limit", _STREAMS)
        found = streams_of(connection, _group(params), prefix, limit, by_time=by_time, is_descending=is_descending)
    view = call.context.view
    return {"logStreams": [_stream(one) for one in found if view.shows("logs", one.name, one.first / 1000)]}


def _stream(found: LogStream) -> Response:
    return {
        "logStreamName": found.name,
        "creationTime": found.first,
        "firstEventTimestamp": found.first,
        "lastEventTimestamp": found.last,
        "lastIngestionTime": found.last,
    }


@serves("logs", "GetLogEvents")
def get_log_events(call: Call) -> Response:
    """
    Return one page of a stream, oldest line first. A page that returns the token of its request is the end.

    A token is a direction and the number of an event: ``f/12`` continues after event 12, ``b/12`` goes back from it.
    Without a token, the page is the last one, or the first with *startFromHead*. As on AWS, a page may be empty before
    the end: those of every third number are, once, and more with ``Lag(empty_pages=...)``; their next token, such as
    ``f/12+``, leads to the events.
    """
    params, view = call.params, call.context.view
    direction, place, again = _token(params)
    stream = params["logStreamName"]
    page = LogPage(
        _group(params),
        stream,
        direction == "f",
        place,
        span=(params.get("startTime", 0), params.get("endTime", _END)),
        limit=params.get("limit", _PAGE),
        until=view.until("logs", stream),
    )
    with call.context.store.read() as connection:
        if not has_stream(connection, page):
            raise AwsFault("The specified log stream does not exist.", code="ResourceNotFoundException")
        lines = lines_of(connection, page)
    empty = max(view.lag.pages_before(f"{stream}/{place}"), 1 if place and place % 3 == 0 else 0)
    if lines and len(again) < empty:
        lines, again = [], f"{again}+"
    return {"events": [_event(line) for line in lines], **_tokens(lines, direction, place, again)}


def _token(params: Params) -> tuple[str, int, str]:
    """Return the direction, the number and the ending of a token."""
    token = params.get("nextToken", "f/0" if params.get("startFromHead") else f"b/{_END}")
    found = _TOKEN.fullmatch(token)
    if found is None or int(found[2]) > _END:
        raise _invalid("The specified nextToken is invalid.")
    return found[1], int(found[2]), found[3]


def _tokens(lines: Sequence[LogLine], direction: str, place: int, again: str) -> dict[str, str]:
    """Return the tokens around a page; those around an empty one lead to what comes later, and back."""
    if lines:
        forward, backward = f"f/{lines[-1].id}", f"b/{lines[0].id}"
    elif direction == "f":
        forward, backward = f"f/{place}{again}", f"b/{place + 1}"
    else:
        forward, backward = f"f/{max(place - 1, 0)}", f"b/{place}{again}"
    return {"nextForwardToken": forward, "nextBackwardToken": backward}


def _event(line: LogLine) -> dict[str, Any]:
    return {"timestamp": line.time, "message": line.message or " ", "ingestionTime": line.time}


def _group(params: Params) -> str:
    """Return the name of the group, which may be given by its ARN."""
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise _invalid("Either logGroupName or logGroupIdentifier is required, and not both.")
    given = str(name or identifier)
    return given.partition(":log-group:")[2].removesuffix(":*") or given


def _invalid(message: str) -> AwsFault:
    return AwsFault(message, code="InvalidParameterException")
