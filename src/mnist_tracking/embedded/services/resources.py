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

KINDS = {"experiments": "experiment", "trials": "experiment-trial", "components": "experiment-trial-component"}
_WITH_ARN = (*KINDS, "training_jobs", "models", "endpoint_configs", "endpoints", "lineage_artifacts")
_TITLES = {"experiments": "Experiment", "trials": "Trial", "components": "Trial component"}


def page_size(params: dict[str, Any], default: int = 10) -> int:
    """Return the requested page size."""
    return int(params.get("MaxResults", default))


def make_token(position: object) -> str:
    """Return a token for a position: any JSON value."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def read_token(token: str) -> Any:
    """
    Return the position of a token.

    Raises:
        ValidationFault: If it is not a token of `make_token`.
    """
    try:
        return json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, RecursionError):
        raise bad_token() from None


def bad_token() -> ValidationFault:
    """Build the error for an invalid token."""
    return ValidationFault("The pagination token is not valid.")


def read_offset(params: dict[str, Any]) -> int:
    """Return the offset at which a page starts."""
    token = params.get("NextToken")
    if not token:
        return 0
    match read_token(token):
        case {"offset": int(offset)} if 0 <= offset < 2**63:
            return offset
    raise bad_token()


def next_token(offset: int, size: int, found: int) -> dict[str, str]:
    """Return ``{"NextToken": ...}`` if there is a next page: *found* results, of one more than *size* requested."""
    return {"NextToken": make_token({"offset": offset + size})} if found > size else {}


def present(**members: Any) -> dict[str, Any]:
    """Return the members that have a value; responses leave out the others."""
    return {name: value for name, value in members.items() if value is not None}


def metadata_in(params: Mapping[str, Any]) -> str | None:
    """Return the MetadataProperties of a request as they are stored."""
    return json.dumps(params["MetadataProperties"]) if "MetadataProperties" in params else None


def metadata_of(row: sqlite3.Row) -> dict[str, str] | None:
    """Return the MetadataProperties of a resource, or None."""
    found: dict[str, str] | None = json.loads(row["metadata"]) if row["metadata"] else None
    return found


def find(connection: sqlite3.Connection, table: str, name: str) -> sqlite3.Row | None:
    """Return the resource of that name or ARN, or None. Names compare without case, as in SageMaker."""
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
    """Whether any resource has that ARN."""
    tables = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE arn = :arn" for table in _WITH_ARN)
    return connection.execute(tables, {"arn": arn}).fetchone() is not None


def check_name_is_free(connection: sqlite3.Connection, table: str, name: str) -> None:
    """Raise AWS's error if a name is taken, in its old and its new wording: clients look for either."""
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
    Run a List operation with the filters, order and page of its request.

    Args:
        connection: The connection to read from.
        select: ``SELECT ... FROM table t ...``; the table must have the columns ``id``, ``name`` and ``created``.
        where: Conditions (SQL with one placeholder) and their values; conditions whose value is None are left out.
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
    """Return where the previous page ended; that position stays valid when resources are added or deleted."""
    if not token:
        return []
    match read_token(token):
        case [str() | float() as value, int(row_id)] if row_id < 2**63:
            return [value, row_id]
    raise bad_token()


def touch(
    connection: sqlite3.Connection, table: str, row_id: int, now: float, columns: Iterable[tuple[str, Any]]
) -> None:
    """Set the given columns and the time of modification."""
    given = [(column, value) for column, value in columns if value is not None]
    assignments = ", ".join(f"{column} = ?" for column, _ in [*given, ("modified", now)])
    connection.execute(
        f"UPDATE {table} SET {assignments} WHERE id = ?",
        [*(value for _, value in given), now, row_id],
    )
