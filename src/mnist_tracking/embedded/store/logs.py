"""Lines that jobs and endpoints have logged, in streams of groups. Times are seconds here, milliseconds on AWS."""

import math
import sqlite3
from collections.abc import Iterable

import attrs

from mnist_tracking.embedded.store.objects import after_prefix

_LAST_ID = 2**63 - 1
_MILLISECONDS = "CAST(timestamp * 1000 AS INTEGER)"
_ORPHANED = (
    "log_group = '/aws/sagemaker/TrainingJobs' AND "
    "substr(stream, 1, instr(stream, '/') - 1) NOT IN (SELECT name FROM training_jobs)",
    "log_group LIKE '/aws/sagemaker/Endpoints/%' AND "
    "substr(log_group, length('/aws/sagemaker/Endpoints/') + 1) NOT IN (SELECT name FROM endpoints)",
)


@attrs.frozen
class LogStream:
    """A stream, and the times of its first and its last line in milliseconds."""

    name: str
    first: int
    last: int


@attrs.frozen
class LogLine:
    """A line, the number of its event, and its time in milliseconds."""

    id: int
    time: int
    message: str


def add_lines(connection: sqlite3.Connection, group: str, stream: str, lines: Iterable[tuple[float, str]]) -> None:
    """Add lines, each with its time in seconds, to a stream, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)",
        [(group, stream, time, message) for time, message in lines],
    )


def delete_orphaned_lines(connection: sqlite3.Connection, *, before: float) -> None:
    """Delete the lines of jobs and endpoints that do not exist, logged before a time in seconds."""
    for where in _ORPHANED:
        connection.execute(f"DELETE FROM log_events WHERE timestamp < ? AND {where}", (before,))


def streams_of(
    connection: sqlite3.Connection, group: str, prefix: str, limit: int, *, by_time: bool, is_descending: bool
) -> list[LogStream]:
    """Return the streams of a group whose names begin with *prefix*, ordered by name or by their last line."""
    end = after_prefix(prefix)
    bound, values = ("", ()) if end is None else (" AND stream < ?", (end,))
    order = f"{'last' if by_time else 'stream'} {'DESC' if is_descending else 'ASC'}"
    rows = connection.execute(
        f"SELECT stream, min({_MILLISECONDS}), max({_MILLISECONDS}) AS last FROM log_events "
        f"WHERE log_group = ? AND stream >= ?{bound} GROUP BY stream ORDER BY {order} LIMIT ?",
        (group, prefix, *values, limit),
    )
    return [LogStream(*row) for row in rows]


@attrs.frozen
class LogPage:
    """
    Some lines of a stream.

    Attributes:
        group: The group of the stream.
        stream: The stream.
        is_forward: Whether the lines after *place* are wanted, or those before it.
        place: The number of an event.
        span: From which time on, and before which time, in milliseconds.
        limit: How many lines at most.
        until: The lines up to the first one after this time, in seconds, can be seen.
    """

    group: str
    stream: str
    is_forward: bool
    place: int
    span: tuple[int, int]
    limit: int
    until: float


_IN_STREAM = "log_group = ? AND stream = ?"


def has_stream(connection: sqlite3.Connection, page: LogPage) -> bool:
    """Whether the stream of a page exists: it appears with its first line."""
    sql = f"SELECT 1 FROM log_events WHERE {_IN_STREAM} AND {_MILLISECONDS} / 1000.0 <= ? LIMIT 1"
    return connection.execute(sql, (page.group, page.stream, page.until)).fetchone() is not None


def _first_unseen(connection: sqlite3.Connection, page: LogPage) -> int:
    """Return the number of the first event of a stream that cannot be seen yet, or a number above all."""
    if page.until == math.inf:
        return _LAST_ID
    sql = f"SELECT min(id) FROM log_events WHERE {_IN_STREAM} AND {_MILLISECONDS} / 1000.0 > ?"
    first: int | None = connection.execute(sql, (page.group, page.stream, page.until)).fetchone()[0]
    return _LAST_ID if first is None else first


def lines_of(connection: sqlite3.Connection, page: LogPage) -> list[LogLine]:
    """Return the lines of a page, the oldest first."""
    side, order = ("id > ?", "ASC") if page.is_forward else ("id < ?", "DESC")
    rows = connection.execute(
        f"SELECT id, {_MILLISECONDS}, message FROM log_events WHERE {_IN_STREAM} AND {side} AND id < ? "
        f"AND {_MILLISECONDS} >= ? AND {_MILLISECONDS} < ? ORDER BY id {order} LIMIT ?",
        (page.group, page.stream, page.place, _first_unseen(connection, page), *page.span, page.limit),
    )
    return sorted((LogLine(*row) for row in rows), key=lambda line: line.id)
