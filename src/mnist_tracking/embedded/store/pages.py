"""Rows and pages of a table: what the modules of all families have in common."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

import attrs

T = TypeVar("T")
Position = tuple[str | float, int]
"""Where a page ends: the value of its order's column, and an id; valid also when rows are added or deleted."""


@attrs.frozen(kw_only=True)
class Page:
    """
    One page of a list.

    Attributes:
        size: How many rows it has at most.
        by_name: Whether rows are ordered by name, or by time of creation.
        is_ascending: The direction of the order.
        after: Where the previous page ended; None for the first.
        created_after: The earliest time of creation, in seconds since the epoch.
        created_before: The latest.
    """

    size: int
    by_name: bool = False
    is_ascending: bool = False
    after: Position | None = None
    created_after: float | None = None
    created_before: float | None = None


def select_page(
    connection: sqlite3.Connection, select: str, where: Mapping[str, Any], page: Page
) -> tuple[list[sqlite3.Row], Position | None]:
    """
    Select one page.

    Args:
        connection: The connection to read from.
        select: ``SELECT ... FROM table t ...``; the table must have the columns ``id``, ``name`` and ``created``.
        where: Conditions (SQL with one placeholder) and their values; conditions whose value is None are left out.
        page: Which page.

    Returns:
        The rows, and where the page ends if there is another one.
    """
    bounds = {"t.created >= ?": page.created_after, "t.created <= ?": page.created_before}
    used = {sql: value for sql, value in {**where, **bounds}.items() if value is not None}
    column = "name" if page.by_name else "created"
    direction, beyond = ("ASC", ">") if page.is_ascending else ("DESC", "<")
    clauses = [*used, *([f"(t.{column}, t.id) {beyond} (?, ?)"] if page.after else [])]
    clause = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    order = f" ORDER BY t.{column} {direction}, t.id {direction} LIMIT ?"
    values = [*used.values(), *(page.after or ()), page.size + 1]
    rows = connection.execute(select + clause + order, values).fetchall()
    if len(rows) <= page.size:
        return rows, None
    last = rows[page.size - 1]
    return rows[: page.size], (last[column], last["id"])


def typed(kind: type[T], row: sqlite3.Row | Mapping[str, Any]) -> T:
    """Return a row as a record of its table, an attrs class with the names of columns."""
    return kind(**{name: row[name] for name in _fields(kind)})  # type: ignore[arg-type] # attrs classes only


@cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(attrs.fields_dict(kind))


OWNERS = "(SELECT value FROM json_each(?))"
"""SQL for the owners that `rows_by_owner` reads."""


def rows_by_owner(
    connection: sqlite3.Connection, select: str, owners: Sequence[object]
) -> Mapping[Any, list[tuple[Any, ...]]]:
    """
    Select the rows of several owners with one statement.

    Args:
        connection: The connection to read from.
        select: ``SELECT owner, ... WHERE owner IN {OWNERS} ORDER BY owner, ...``.
        owners: The owners: ids or ARNs.

    Returns:
        The rows by owner, which is their first column; an empty list for an owner without rows.
    """
    cursor = connection.cursor()
    cursor.row_factory = None  # tuples, which are faster to unpack
    rows = cursor.execute(select, (json.dumps(owners),)).fetchall()
    return defaultdict(list, {owner: list(group) for owner, group in groupby(rows, itemgetter(0))})
