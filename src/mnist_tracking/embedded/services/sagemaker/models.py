"""Models."""

import json
import sqlite3
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import listing
from mnist_tracking.embedded.store.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime, as_seconds

_ECHOED = (
    "ModelName",
    "PrimaryContainer",
    "Containers",
    "InferenceExecutionConfig",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
)


@serves("sagemaker", "CreateModel")
def create_model(call: Call) -> Response:
    name, now = call.params["ModelName"], call.context.now()
    arn = call.context.identity.sagemaker_arn("model", name)
    container_of(call.params)
    with call.context.store.write() as connection:
        check_is_new(connection, "models", name, f'model "{arn}"')
        connection.execute(
            "INSERT INTO models (name, arn, request, python, created) VALUES (?, ?, ?, ?, ?)",
            (name, arn, json.dumps(call.params), call.context.python, now),
        )
        put_tags(connection, arn, call.params.get("Tags"))
    return {"ModelArn": arn}


def container_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return the container of a model; an embedded endpoint cannot serve a pipeline of several."""
    containers = request.get("Containers") or [request[key] for key in ("PrimaryContainer",) if key in request]
    if len(containers) != 1:
        raise ValidationFault(
            f"The model {request['ModelName']!r} has {len(containers)} containers; the embedded SageMaker serves "
            "models with one. Use PrimaryContainer."
        )
    container: dict[str, Any] = containers[0]
    return container


def check_is_new(connection: sqlite3.Connection, table: str, name: str, title: str) -> None:
    """Raise AWS's error if a name is taken. Names that differ only in case are the same, as their ARNs are."""
    if connection.execute(f"SELECT 1 FROM {table} WHERE name = ? COLLATE NOCASE", (name,)).fetchone():
        raise ValidationFault(f"Cannot create already existing {title}.")


def require_model(connection: sqlite3.Connection, call: Call, name: str) -> sqlite3.Row:
    """Return a model's row, or raise AWS's error for a missing one."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM models WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ValidationFault(f'Could not find model "{call.context.identity.sagemaker_arn("model", name)}".')
    return row


@serves("sagemaker", "DescribeModel")
def describe_model(call: Call) -> Response:
    with call.context.store.read() as connection:
        row = require_model(connection, call, call.params["ModelName"])
    request = json.loads(row["request"])
    echoed = {key: request[key] for key in _ECHOED if key in request}
    return {**echoed, "ModelArn": row["arn"], "CreationTime": as_datetime(row["created"])}


@serves("sagemaker", "DeleteModel")
def delete_model(call: Call) -> Response:
    with call.context.store.write() as connection:
        row = require_model(connection, call, call.params["ModelName"])
        connection.execute("DELETE FROM models WHERE id = ?", (row["id"],))
        remove_all_tags(connection, row["arn"])
    return {}


@serves("sagemaker", "ListModels")
def list_models(call: Call) -> Response:
    with call.context.store.read() as connection:
        found, token = listing(connection, "SELECT t.* FROM models t", list_filters(call.params), call.params)
    models = [
        {"ModelName": row["name"], "ModelArn": row["arn"], "CreationTime": as_datetime(row["created"])} for row in found
    ]
    return {"Models": models, **token}


def list_filters(params: dict[str, Any]) -> dict[str, Any]:
    """Return the filters that the List operations of hosting share."""
    bounds = {
        "t.created >= ?": params.get("CreationTimeAfter"),
        "t.created <= ?": params.get("CreationTimeBefore"),
        "t.modified >= ?": params.get("LastModifiedTimeAfter"),
        "t.modified <= ?": params.get("LastModifiedTimeBefore"),
    }
    times = {sql: as_seconds(moment) for sql, moment in bounds.items() if moment is not None}
    return {**times, "instr(lower(t.name), lower(?)) > 0": params.get("NameContains")}
