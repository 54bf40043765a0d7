"""What the families of operations share: resources by name, response members, sorted lists, and pages."""

import base64
import binascii
import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from mnist_tracking.embedded.faults import ResourceNotFoundFault, ValidationFault
from mnist_tracking.embedded.identity import Identity
from mnist_tracking.embedded.times import as_seconds


def page_size(params: dict[str, Any], default: int = 10) -> int:
    """Return how many results a caller wants on a page."""
    return int(params.get("MaxResults", default))


def make_token(position: object) -> str:
    """Return the token that carries a position: anything that JSON can hold."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def read_token(token: str) -> Any:
    """
    Return the position that a token carries.

    Raises:
        ValidationFault: If it is no token of `make_token`.
    """
    try:
        return json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, RecursionError):
        raise bad_token() from None


def bad_token() -> ValidationFault:
    """Build the error for a token that no page gave."""
    return ValidationFault("The pagination token is not valid.")


def read_offset(params: dict[str, Any]) -> int:
    """Return where a page starts, in a list that is paged by number."""
    token = params.get("NextToken")
    if not token:
        return 0
    match read_token(token):
        case {"offset": int(offset)} if 0 <= offset < 2**63:
            return offset
    raise bad_token()


def next_token(offset: int, size: int, found: int) -> dict[str, str]:
    """Return ``{"NextToken": ...}`` if *found* (one more than *size* was asked for) shows that there is a next page."""
    return {"NextToken": make_token({"offset": offset + size})} if found > size else {}


KINDS = {"experiments": "experiment", "trials": "experiment-trial", "components": "experiment-trial-component"}
_WITH_ARN = (*KINDS, "training_jobs", "models", "endpoint_configs", "endpoints", "lineage_artifacts")
_TITLES = {"experiments": "Experiment", "trials": "Trial", "components": "Trial component"}


def present(**members: Any) -> dict[str, Any]:
    """Return the members that have a value, as responses leave out the others."""
    return {name: value for name, value in members.items() if value is not None}


def metadata_in(params: Mapping[str, Any]) -> str | None:
    """Return what a request says of where a resource comes from, as it is stored."""
    return json.dumps(params["MetadataProperties"]) if "MetadataProperties" in params else None


def metadata_of(row: sqlite3.Row) -> dict[str, str] | None:
    """Return what was said of where a resource comes from, or None."""
    found: dict[str, str] | None = json.loads(row["metadata"]) if row["metadata"] else None
    return found


def find(connection: sqlite3.Connection, table: str, name: str) -> sqlite3.Row | None:
    """Return the resource of that name or ARN; names compare without case, as SageMaker's do."""
    name = name.rsplit("/", 1)[-1]
    row: sqlite3.Row | None = connection.execute(f"SELECT * FROM {table} WHERE name = ?", (name,)).fetchone()
    return row


def get(connection: sqlite3.Connection, table: str, name: str, identity: Identity) -> sqlite3.Row:
    """Return the resource of that name, or raise AWS's ResourceNotFound."""
    row = find(connection, table, name)
    if row is None:
        arn = identity.sagemaker_arn(KINDS[table], name.rsplit("/", 1)[-1])
        raise ResourceNotFoundFault(f"{_TITLES[table]} {name!r} does not exist: could not find {arn}.")
    return row


def has_arn(connection: sqlite3.Connection, arn: str) -> bool:
    """Whether there is a resource of that ARN, of whatever kind."""
    tables = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE arn = :arn" for table in _WITH_ARN)
    return connection.execute(tables, {"arn": arn}).fetchone() is not None


def check_name_is_free(connection: sqlite3.Connection, table: str, name: str) -> None:
    """Raise AWS's error for a taken name, in the old and the new wording at once: clients look for either."""
    if find(connection, table, name) is not None:
        title = _TITLES[table]
        raise ValidationFault(
            f"{title} names must be unique within an AWS account and region. {title} with name ({name}) already exists."
        )


def listing(
    connection: sqlite3.Connection,
    select: str,
    where: Mapping[str, Any],
    params: dict[str, Any],
) -> tuple[list[sqlite3.Row], dict[str, str]]:
    """
    Run one List operation: its filters, the order and the page that the request asks for.

    Args:
        connection: Where to read.
        select: ``SELECT ... FROM table t ...``; the table must have the columns ``id``, ``name`` and ``created``.
        where: Conditions (SQL with one placeholder) and their values; a value of None leaves the condition out.
        params: The request, with SortBy, SortOrder, MaxResults, NextToken, CreatedAfter and CreatedBefore.

    Returns:
        The rows of the page, and the member NextToken if there is another page.
    """
    bounds = {"t.created >= ?": params.get("CreatedAfter"), "t.created <= ?": params.get("CreatedBefore")}
    conditions = {**where, **{sql: as_seconds(moment) for sql, moment in bounds.items() if moment is not None}}
    used = {sql: value for sql, value in conditions.items() if value is not None}
    column = "name" if params.get("SortBy") == "Name" else "created"
    direction, beyond = ("ASC", ">") if params.get("SortOrder") == "Ascending" else ("DESC", "<")
    after, size = _after(params.get("NextToken")), page_size(params)
    clauses = [*used, f"(t.{column}, t.id) {beyond} (?, ?)"] if after else [*used]
    clause = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    order = f" ORDER BY t.{column} {direction}, t.id {direction} LIMIT ?"
    rows = connection.execute(select + clause + order, [*used.values(), *after, size + 1]).fetchall()
    if len(rows) <= size:
        return rows, {}
    return rows[:size], {"NextToken": make_token([rows[size - 1][column], rows[size - 1]["id"]])}


def _after(token: str | None) -> list[Any]:
    """Return what the page before ended with: its place stays the same whatever is added or deleted meanwhile."""
    if not token:
        return []
    match read_token(token):
        case [str() | float() as value, int(row_id)] if row_id < 2**63:
            return [value, row_id]
    raise bad_token()


def touch(
    connection: sqlite3.Connection, table: str, row_id: int, now: float, columns: Iterable[tuple[str, Any]]
) -> None:
    """Set the columns that a request gives, and the time of modification."""
    given = [(column, value) for column, value in columns if value is not None]
    assignments = ", ".join(f"{column} = ?" for column, _ in [*given, ("modified", now)])
    connection.execute(
        f"UPDATE {table} SET {assignments} WHERE id = ?",
        [*(value for _, value in given), now, row_id],
    )
