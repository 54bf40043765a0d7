"""Endpoint configurations."""

import json
import sqlite3

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import listing
from mnist_tracking.embedded.services.sagemaker.models import check_is_new, list_filters, require_model
from mnist_tracking.embedded.store.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime

_ECHOED = (
    "ProductionVariants",
    "DataCaptureConfig",
    "KmsKeyId",
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
)


@serves("sagemaker", "CreateEndpointConfig")
def create_endpoint_config(call: Call) -> Response:
    """
    Create a configuration with one variant.

    One process serves it, however many instances are requested: DescribeEndpoint returns a CurrentInstanceCount of 1.
    """
    params, name = call.params, call.params["EndpointConfigName"]
    arn = call.context.identity.sagemaker_arn("endpoint-config", name)
    variants = [*params["ProductionVariants"], *params.get("ShadowProductionVariants", ())]
    if len(variants) != 1:
        raise ValidationFault(
            f"The configuration {name!r} has {len(variants)} variants; the embedded SageMaker serves exactly one."
        )
    with call.context.store.write() as connection:
        check_is_new(connection, "endpoint_configs", name, f'endpoint configuration "{arn}"')
        require_model(connection, call, variants[0].get("ModelName", ""))
        connection.execute(
            "INSERT INTO endpoint_configs (name, arn, request, created) VALUES (?, ?, ?, ?)",
            (name, arn, json.dumps(params), call.context.now()),
        )
        put_tags(connection, arn, params.get("Tags"))
    return {"EndpointConfigArn": arn}


def require_config(connection: sqlite3.Connection, call: Call) -> sqlite3.Row:
    """Return the row of the configuration that a request names, or raise AWS's error for a missing one."""
    name = call.params["EndpointConfigName"]
    row: sqlite3.Row | None = connection.execute("SELECT * FROM endpoint_configs WHERE name = ?", (name,)).fetchone()
    if row is None:
        arn = call.context.identity.sagemaker_arn("endpoint-config", name)
        raise ValidationFault(f'Could not find endpoint configuration "{arn}".')
    return row


@serves("sagemaker", "DescribeEndpointConfig")
def describe_endpoint_config(call: Call) -> Response:
    with call.context.store.read() as connection:
        row = require_config(connection, call)
    request = json.loads(row["request"])
    return {**{key: request[key] for key in _ECHOED if key in request}, **_summary(row)}


def _summary(row: sqlite3.Row) -> Response:
    return {
        "EndpointConfigName": row["name"],
        "EndpointConfigArn": row["arn"],
        "CreationTime": as_datetime(row["created"]),
    }


@serves("sagemaker", "DeleteEndpointConfig")
def delete_endpoint_config(call: Call) -> Response:
    with call.context.store.write() as connection:
        row = require_config(connection, call)
        connection.execute("DELETE FROM endpoint_configs WHERE id = ?", (row["id"],))
        remove_all_tags(connection, row["arn"])
    return {}


@serves("sagemaker", "ListEndpointConfigs")
def list_endpoint_configs(call: Call) -> Response:
    with call.context.store.read() as connection:
        found, token = listing(connection, "SELECT t.* FROM endpoint_configs t", list_filters(call.params), call.params)
    return {"EndpointConfigs": [_summary(row) for row in found], **token}
