"""Search over experiments, trials, components and training jobs."""

import sqlite3
from collections.abc import Callable
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.jobs.launcher import recover_lost_jobs
from mnist_tracking.embedded.lag import View
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import has_appeared, next_token, page_size, read_offset
from mnist_tracking.embedded.services.sagemaker import components, experiments, training_jobs, trials
from mnist_tracking.embedded.services.sagemaker.search_expression import (
    HORIZON,
    SEARCHABLE,
    Searchable,
    compile_expression,
)
from mnist_tracking.embedded.store.components import Component
from mnist_tracking.embedded.store.experiments import Experiment, parents_of, trial_of_id
from mnist_tracking.embedded.store.pages import typed
from mnist_tracking.embedded.store.tags import read_tags


def _experiment(connection: sqlite3.Connection, row: sqlite3.Row, _view: View) -> Response:
    return {"Experiment": {**experiments.describe(typed(Experiment, row)), "Tags": read_tags(connection, row["arn"])}}


def _trial(connection: sqlite3.Connection, row: sqlite3.Row, _view: View) -> Response:
    found = trial_of_id(connection, row["id"])
    return {"Trial": {**trials.describe(found), "Tags": read_tags(connection, found.arn)}}


def _component(connection: sqlite3.Connection, row: sqlite3.Row, view: View) -> Response | None:
    found = typed(Component, row)
    if not has_appeared(found, view):
        return None
    horizon = view.until("search", found.name)
    return {
        "TrialComponent": {
            **components.describe(connection, found, view),
            "Parents": [
                {"TrialName": trial, "ExperimentName": experiment}
                for trial, experiment in parents_of(connection, found.id, until=horizon)
            ],
            "Tags": read_tags(connection, found.arn),
        }
    }


def _training_job(connection: sqlite3.Connection, row: sqlite3.Row, _view: View) -> Response:
    return {"TrainingJob": {**training_jobs.describe(connection, row), "Tags": read_tags(connection, row["arn"])}}


_RESULTS: dict[str, Callable[[sqlite3.Connection, sqlite3.Row, View], Response | None]] = {
    "Experiment": _experiment,
    "ExperimentTrial": _trial,
    "ExperimentTrialComponent": _component,
    "TrainingJob": _training_job,
}


@serves("sagemaker", "Search")
def search(call: Call) -> Response:
    """
    Search, which is up to date by default; ``Lag(search_s=...)`` makes it lag behind, as on AWS.

    It does not show a resource while it is behind with a change to it. Filters and orders use the latest values.

    Pages start at an offset, so a resource that is deleted between two pages shifts the next one.
    """
    params = call.params
    resource = SEARCHABLE.get(params["Resource"])
    if resource is None:
        known = ", ".join(SEARCHABLE)
        raise ValidationFault(f"The embedded SageMaker cannot search {params['Resource']}. Expected one of: {known}.")
    size, offset = page_size(params), read_offset(params)
    view = call.context.view
    recover_lost_jobs(call.context.store, view.now)
    with call.context.store.snapshot() as connection:
        connection.create_function("horizon", 1, lambda name: view.until("search", name), deterministic=True)
        sql, args = _query(resource, params)
        if not view.lag.search_s:
            sql = sql.replace(HORIZON, "9e999")  # infinity, without a call for each row
        rows = connection.execute(sql, [*args, size + 1, offset]).fetchall()
        found = (_RESULTS[params["Resource"]](connection, row, view) for row in rows[:size])
        results = [result for result in found if result is not None]
    return {"Results": results, **next_token(offset, size, len(rows))}


def _query(resource: Searchable, params: dict[str, Any]) -> tuple[str, list[Any]]:
    condition, args = compile_expression(resource, params.get("SearchExpression", {}))
    order, order_args = _order(
        resource, params.get("SortBy", "LastModifiedTime"), params.get("SortOrder", "Descending")
    )
    visible = f"+t.modified <= {HORIZON}"  # the plus keeps SQLite from using this column for the order
    sql = f"SELECT t.* FROM {resource.table} t WHERE {condition} AND {visible} ORDER BY {order} LIMIT ? OFFSET ?"
    return sql, [*args, *order_args]


def _order(resource: Searchable, name: str, order: str) -> tuple[str, list[Any]]:
    direction = "ASC" if order == "Ascending" else "DESC"
    found = resource.find(name)
    sides = [f"(SELECT {side} {found.each})" if found.each else side for side in (found.number, found.text) if side]
    terms = [f"{side} {direction} NULLS LAST" for side in sides]
    return ", ".join([*terms, f"t.id {direction}"]), [arg for _ in sides for arg in found.args]
