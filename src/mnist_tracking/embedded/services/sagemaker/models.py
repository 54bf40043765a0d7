"""Models."""

import sqlite3
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.hosting import launcher, tables
from mnist_tracking.embedded.hosting.tables import Model
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import listing
from mnist_tracking.embedded.services.sagemaker.roles import check_role
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
    """Create a model. Its data must exist; it is copied when an endpoint is created."""
    name, store = call.params["ModelName"], call.context.store
    arn = call.context.identity.sagemaker_arn("model", name)
    if "ExecutionRoleArn" in call.params:
        check_role(call.context.identity, call.params["ExecutionRoleArn"])
    launcher.check_data(store, container_of(call.params))
    model = Model(name=name, arn=arn, request=call.params, python=call.context.python, created=call.context.now())
    with store.write() as connection:
        check_is_new(connection, "models", name, f'model "{arn}"')
        tables.insert_model(connection, model)
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
    """Raise AWS's error if a name is taken."""
    if tables.is_taken(connection, table, name):
        raise ValidationFault(f"Cannot create already existing {title}.")


def require_model(connection: sqlite3.Connection, call: Call, name: str) -> Model:
    """Return a model, or raise AWS's error for a missing one."""
    model = tables.read_model(connection, name)
    if model is None:
        raise ValidationFault(f'Could not find model "{call.context.identity.sagemaker_arn("model", name)}".')
    return model


@serves("sagemaker", "DescribeModel")
def describe_model(call: Call) -> Response:
    with call.context.store.read() as connection:
        model = require_model(connection, call, call.params["ModelName"])
    echoed = {key: model.request[key] for key in _ECHOED if key in model.request}
    return {**echoed, "ModelArn": model.arn, "CreationTime": as_datetime(model.created)}


@serves("sagemaker", "DeleteModel")
def delete_model(call: Call) -> Response:
    with call.context.store.write() as connection:
        model = require_model(connection, call, call.params["ModelName"])
        tables.delete(connection, "models", model.name)
        remove_all_tags(connection, model.arn)
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
