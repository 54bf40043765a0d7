"""What the families of operations share: names, errors, response members, and pages."""

import base64
import binascii
import json
import sqlite3
from collections.abc import Mapping
from typing import Any, TypeVar

from mnist_tracking.embedded.context import Context
from mnist_tracking.embedded.faults import MomentaryFault, ResourceNotFoundFault, ValidationFault
from mnist_tracking.embedded.identity import Identity
from mnist_tracking.embedded.lag import View
from mnist_tracking.embedded.store.components import Component, find_component
from mnist_tracking.embedded.store.experiments import Experiment, Trial, find_experiment, find_trial
from mnist_tracking.embedded.store.pages import Page, Position, select_page
from mnist_tracking.embedded.times import as_seconds

T = TypeVar("T")


def page_size(params: Mapping[str, Any], default: int = 10) -> int:
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


def metadata_of(stored: str | None) -> dict[str, str] | None:
    """Return the MetadataProperties of a resource, as they were stored, or None."""
    found: dict[str, str] | None = json.loads(stored) if stored else None
    return found


def name_in(name_or_arn: str) -> str:
    """Return the name of a resource that is given by its name or its ARN."""
    return name_or_arn.rsplit("/", 1)[-1]


def require_experiment(connection: sqlite3.Connection, name: str, identity: Identity) -> Experiment:
    """Return the experiment of that name or ARN, or raise AWS's ResourceNotFound."""
    found = find_experiment(connection, name_in(name))
    return _found(found, "Experiment", name, identity.sagemaker_arn("experiment", name_in(name)))


def require_trial(connection: sqlite3.Connection, name: str, identity: Identity) -> Trial:
    """Return the trial of that name or ARN, or raise AWS's ResourceNotFound."""
    found = find_trial(connection, name_in(name))
    return _found(found, "Trial", name, identity.sagemaker_arn("experiment-trial", name_in(name)))


def require_component(connection: sqlite3.Connection, name: str, context: Context) -> Component:
    """Return the component of that name or ARN, or raise AWS's ResourceNotFound; that of a job may appear late."""
    found = find_component(connection, name_in(name))
    if found is not None and not has_appeared(found, context.view):
        found = None
    arn = context.identity.sagemaker_arn("experiment-trial-component", name_in(name))
    return _found(found, "Trial component", name, arn)


def has_appeared(found: Component, view: View) -> bool:
    """Whether a component exists already, as far as anybody can see; only those of jobs appear late."""
    return found.source_arn is None or view.shows("components", found.name, found.created)


def note_unlinked(context: Context, *arns: str) -> None:
    """Remember that links between resources were removed just now, if anybody is to see them for a while."""
    if context.lag().links_s:
        context.unlinked.update(dict.fromkeys(arns, context.now()))


def check_unlinked(context: Context, arn: str, *, is_linked: bool, message: str) -> None:
    """Raise AWS's error if a resource is linked to others, or if a link that was removed can still be seen."""
    if is_linked:
        raise ValidationFault(message)
    if not context.view.shows("links", arn, context.unlinked.get(arn)):
        raise MomentaryFault(message)


def _found(found: T | None, title: str, name: str, arn: str) -> T:
    if found is None:
        raise ResourceNotFoundFault(f"{title} {name!r} does not exist: could not find {arn}.")
    return found


def name_is_taken(title: str, name: str) -> ValidationFault:
    """Build the error for a name that is taken, in AWS's old and its new wording: clients look for either."""
    return ValidationFault(
        f"{title} names must be unique within an AWS account and region. {title} with name ({name}) already exists."
    )


def page_of(params: Mapping[str, Any]) -> Page:
    """Return the requested page, by SortBy, SortOrder, MaxResults, NextToken and the times of creation."""
    after, before = params.get("CreatedAfter"), params.get("CreatedBefore")
    return Page(
        size=page_size(params),
        by_name=params.get("SortBy") == "Name",
        is_ascending=params.get("SortOrder") == "Ascending",
        after=read_position(params),
        created_after=None if after is None else as_seconds(after),
        created_before=None if before is None else as_seconds(before),
    )


def read_position(params: Mapping[str, Any]) -> Position | None:
    """Return where the previous page ended; None for the first page."""
    token = params.get("NextToken")
    if not token:
        return None
    match read_token(token):
        case [str() | float() as value, int(row_id)] if row_id < 2**63:
            return value, row_id
    raise bad_token()


def token_of(end: Position | None) -> dict[str, str]:
    """Return ``{"NextToken": ...}`` if there is another page after *end*."""
    return {} if end is None else {"NextToken": make_token(end)}


def listing(
    connection: sqlite3.Connection, select: str, where: Mapping[str, Any], params: dict[str, Any]
) -> tuple[list[sqlite3.Row], dict[str, str]]:
    """Return the rows of the page that a request asks for (see `select_page`), and its NextToken if it has one."""
    rows, end = select_page(connection, select, where, page_of(params))
    return rows, token_of(end)
