"""Models."""

import json
import sqlite3

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.rows import listing
from mnist_tracking.embedded.store.tags import delete_tags, put_tags
from mnist_tracking.embedded.times import as_datetime

_ECHOED = ("ModelName", "PrimaryContainer", "Containers", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")


@serves("sagemaker", "CreateModel")
def create_model(call: Call) -> Response:
    name, now = call.params["ModelName"], call.engine.now()
    arn = call.engine.identity.sagemaker_arn("model", name)
    with call.engine.store.write() as connection:
        if _find(connection, name) is not None:
            raise ValidationFault(f'Cannot create already existing model "{arn}".')
        connection.execute(
            "INSERT INTO models (name, arn, request, python, created) VALUES (?, ?, ?, ?, ?)",
            (name, arn, json.dumps(call.params), call.engine.python, now),
        )
        put_tags(connection, arn, call.params.get("Tags"))
    return {"ModelArn": arn}


def _find(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute("SELECT * FROM models WHERE name = ?", (name,)).fetchone()
    return row


def require_model(connection: sqlite3.Connection, name: str, arn: str) -> sqlite3.Row:
    """Return a model's row, or raise AWS's error for a missing one."""
    row = _find(connection, name)
    if row is None:
        raise ValidationFault(f'Could not find model "{arn}".')
    return row


@serves("sagemaker", "DescribeModel")
def describe_model(call: Call) -> Response:
    name = call.params["ModelName"]
    with call.engine.store.read() as connection:
        row = require_model(connection, name, call.engine.identity.sagemaker_arn("model", name))
    request = json.loads(row["request"])
    echoed = {key: request[key] for key in _ECHOED if key in request}
    return {**echoed, "ModelArn": row["arn"], "CreationTime": as_datetime(row["created"])}


@serves("sagemaker", "DeleteModel")
def delete_model(call: Call) -> Response:
    name = call.params["ModelName"]
    with call.engine.store.write() as connection:
        row = require_model(connection, name, call.engine.identity.sagemaker_arn("model", name))
        connection.execute("DELETE FROM models WHERE id = ?", (row["id"],))
        delete_tags(connection, row["arn"])
    return {}


@serves("sagemaker", "ListModels")
def list_models(call: Call) -> Response:
    with call.engine.store.read() as connection:
        where = {"instr(t.name, ?) > 0": call.params.get("NameContains")}
        found, token = listing(connection, "SELECT t.* FROM models t", where, call.params)
    models = [
        {"ModelName": row["name"], "ModelArn": row["arn"], "CreationTime": as_datetime(row["created"])} for row in found
    ]
    return {"Models": models, **token}
