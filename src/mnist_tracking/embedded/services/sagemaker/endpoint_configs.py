"""Endpoint configurations."""

import sqlite3

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.hosting import tables
from mnist_tracking.embedded.hosting.tables import EndpointConfig
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
        config = EndpointConfig(name=name, arn=arn, request=params, created=call.context.now())
        tables.insert_config(connection, config)
        put_tags(connection, arn, params.get("Tags"))
    return {"EndpointConfigArn": arn}


def require_config(connection: sqlite3.Connection, call: Call) -> EndpointConfig:
    """Return the configuration that a request names, or raise AWS's error for a missing one."""
    name = call.params["EndpointConfigName"]
    config = tables.read_config(connection, name)
    if config is None:
        arn = call.context.identity.sagemaker_arn("endpoint-config", name)
        raise ValidationFault(f'Could not find endpoint configuration "{arn}".')
    return config


@serves("sagemaker", "DescribeEndpointConfig")
def describe_endpoint_config(call: Call) -> Response:
    with call.context.store.read() as connection:
        config = require_config(connection, call)
    echoed = {key: config.request[key] for key in _ECHOED if key in config.request}
    return {**echoed, **_summary(config.name, config.arn, config.created)}


def _summary(name: str, arn: str, created: float) -> Response:
    return {"EndpointConfigName": name, "EndpointConfigArn": arn, "CreationTime": as_datetime(created)}


@serves("sagemaker", "DeleteEndpointConfig")
def delete_endpoint_config(call: Call) -> Response:
    with call.context.store.write() as connection:
        config = require_config(connection, call)
        tables.delete(connection, "endpoint_configs", config.name)
        remove_all_tags(connection, config.arn)
    return {}


@serves("sagemaker", "ListEndpointConfigs")
def list_endpoint_configs(call: Call) -> Response:
    with call.context.store.read() as connection:
        found, token = listing(connection, "SELECT t.* FROM endpoint_configs t", list_filters(call.params), call.params)
    return {"EndpointConfigs": [_summary(row["name"], row["arn"], row["created"]) for row in found], **token}
