"""Search over experiments, trials, components and training jobs."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.jobs.launcher import recover_lost_jobs
from mnist_tracking.embedded.lag import View
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.services.resources import (
    has_appeared,
    next_token,
    page_size,
    read_offset,
    read_position,
    token_of,
)
from mnist_tracking.embedded.services.sagemaker import components, experiments, training_jobs, trials
from mnist_tracking.embedded.services.sagemaker.search_expression import (
    HORIZON,
    SEARCHABLE,
    Property,
    Searchable,
    compile_expression,
)
from mnist_tracking.embedded.store.components import Component
from mnist_tracking.embedded.store.experiments import Experiment, parents_of, trials_of_ids
from mnist_tracking.embedded.store.pages import typed
from mnist_tracking.embedded.store.tags import tags_of


def _experiments(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], _view: View) -> Iterator[Response]:
    tags = tags_of(connection, [row["arn"] for row in rows])
    for row in rows:
        yield {"Experiment": {**experiments.describe(typed(Experiment, row)), "Tags": tags[row["arn"]]}}


def _trials(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], _view: View) -> Iterator[Response]:
    tags = tags_of(connection, [row["arn"] for row in rows])
    for found in trials_of_ids(connection, [row["id"] for row in rows]):
        yield {"Trial": {**trials.describe(found), "Tags": tags[found.arn]}}


def _components(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], view: View) -> Iterator[Response]:
    found = [component for row in rows if has_appeared(component := typed(Component, row), view)]
    parents = parents_of(connection, [component.id for component in found])
    tags = tags_of(connection, [component.arn for component in found])
    for component, described in zip(found, components.describe(connection, found, view), strict=True):
        horizon = view.until("search", component.name)
        yield {
            "TrialComponent": {
                **described,
                "Parents": [
                    {"TrialName": trial, "ExperimentName": experiment}
                    for _, trial, experiment, since in parents[component.id]
                    if since <= horizon
                ],
                "Tags": tags[component.arn],
            }
        }


def _training_jobs(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], _view: View) -> Iterator[Response]:
    tags = tags_of(connection, [row["arn"] for row in rows])
    for row, described in zip(rows, training_jobs.describe(connection, rows), strict=True):
        yield {"TrainingJob": {**described, "Tags": tags[row["arn"]]}}


_RESULTS: dict[str, Callable[[sqlite3.Connection, Sequence[sqlite3.Row], View], Iterator[Response]]] = {
    "Experiment": _experiments,
    "ExperimentTrial": _trials,
    "ExperimentTrialComponent": _components,
    "TrainingJob": _training_jobs,
}
"""Build the results of a page, each kind with a constant number of statements."""


@serves("sagemaker", "Search")
def search(call: Call) -> Response:
    """
    Search, which is up to date by default; ``Lag(search_s=...)`` makes it lag behind, as on AWS.

    It does not show a resource while it is behind with a change to it. Filters and orders use the latest values.

    In order of creation or modification, a page continues after the last resource of the previous one. In other orders
    it starts at an offset, so a resource that is deleted between two pages shifts the next one.
    """
    params = call.params
    resource = SEARCHABLE.get(params["Resource"])
    if resource is None:
        known = ", ".join(SEARCHABLE)
        raise ValidationFault(f"The embedded SageMaker cannot search {params['Resource']}. Expected one of: {known}.")
    view = call.context.view
    recover_lost_jobs(call.context.store, view.now)
    with call.context.store.snapshot() as connection:
        connection.create_function("horizon", 1, lambda name: view.until("search", name), deterministic=True)
        rows, token = _page(connection, resource, params, is_lagging=bool(view.lag.search_s))
        results = list(_RESULTS[params["Resource"]](connection, rows, view))
    return {"Results": results, **token}


def _page(
    connection: sqlite3.Connection, resource: Searchable, params: Params, *, is_lagging: bool
) -> tuple[list[sqlite3.Row], dict[str, str]]:
    """Return the rows of a page, and the token of the next one, if there is one."""
    size, found = page_size(params), resource.find(params.get("SortBy", "LastModifiedTime"))
    direction, beyond = ("ASC", ">") if params.get("SortOrder") == "Ascending" else ("DESC", "<")
    condition, args = compile_expression(resource, params.get("SearchExpression", {}))
    where = f"{condition} AND +t.modified <= {HORIZON}"  # the plus keeps SQLite from using this column for the order
    order, order_args = _order(found, direction)
    offset = read_offset(params) if found.column is None else 0
    if found.column is not None and (after := read_position(params)):
        where, args = f"{where} AND (t.{found.column}, t.id) {beyond} (?, ?)", [*args, *after]
    sql = f"SELECT t.* FROM {resource.table} t WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
    if not is_lagging:
        sql = sql.replace(HORIZON, "9e999")  # infinity, without a call for each row
    rows = connection.execute(sql, [*args, *order_args, size + 1, offset]).fetchall()
    if found.column is None:
        return rows[:size], next_token(offset, size, len(rows))
    end = (rows[size - 1][found.column], rows[size - 1]["id"]) if len(rows) > size else None
    return rows[:size], token_of(end)


def _order(found: Property, direction: str) -> tuple[str, list[Any]]:
    sides = [f"(SELECT {side} {found.each})" if found.each else side for side in (found.number, found.text) if side]
    terms = [f"{side} {direction} NULLS LAST" for side in sides]
    return ", ".join([*terms, f"t.id {direction}"]), [arg for _ in sides for arg in found.args]
