"""Endpoints: created here, each run by a supervisor process."""

import sqlite3

from mnist_tracking.embedded.faults import AwsFault, ValidationFault
from mnist_tracking.embedded.hosting import launcher, tables
from mnist_tracking.embedded.hosting.tables import Endpoint, EndpointConfig, Model
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import listing, present
from mnist_tracking.embedded.services.sagemaker.endpoint_configs import require_config
from mnist_tracking.embedded.services.sagemaker.models import check_is_new, container_of, list_filters, require_model
from mnist_tracking.embedded.store.pages import typed
from mnist_tracking.embedded.store.tags import put_tags
from mnist_tracking.embedded.supervision import SupervisorSettings
from mnist_tracking.embedded.times import as_datetime


@serves("sagemaker", "CreateEndpoint")
def create_endpoint(call: Call) -> Response:
    """Create an endpoint. It has its own copy of the model's data, so that the model can be deleted."""
    store, name, now = call.context.store, call.params["EndpointName"], call.context.now()
    arn = call.context.identity.sagemaker_arn("endpoint", name)
    with store.snapshot() as connection:
        config, model = _parts(connection, call, arn)
    with launcher.drafted(store, name) as draft:
        draft.write(
            container=container_of(model.request),
            variant=config.variant,
            python=model.python,
            settings=SupervisorSettings.of(call.context),
        )
        endpoint = Endpoint(
            name=name,
            arn=arn,
            folder=draft.folder,
            config_name=config.name,
            status="Creating",
            created=now,
            modified=now,
        )
        with store.write() as connection:
            if _parts(connection, call, arn) != (config, model):
                raise ValidationFault(f"The configuration {config.name!r}, or its model, has just been replaced.")
            tables.insert_endpoint(connection, endpoint)
            put_tags(connection, arn, call.params.get("Tags"))
        try:
            draft.start()
        except OSError as error:
            raise AwsFault(f"The endpoint's process cannot be started: {error}.", status=500) from error
    return {"EndpointArn": arn}


def _parts(connection: sqlite3.Connection, call: Call, arn: str) -> tuple[EndpointConfig, Model]:
    """Return what a new endpoint is made of, or raise AWS's error if its name is taken or a part is missing."""
    check_is_new(connection, "endpoints", call.params["EndpointName"], f'endpoint "{arn}"')
    config = require_config(connection, call)
    return config, require_model(connection, call, config.variant.get("ModelName", ""))


@serves("sagemaker", "DescribeEndpoint")
def describe_endpoint(call: Call) -> Response:
    store = call.context.store
    endpoint = _require_endpoint(call)
    with store.read() as connection:
        config = tables.read_config(connection, endpoint.config_name)
    return present(
        **_summary(endpoint),
        EndpointConfigName=endpoint.config_name,
        FailureReason=endpoint.failure_reason,
        ProductionVariants=_variants(endpoint, config),
    )


def _require_endpoint(call: Call) -> Endpoint:
    """Return an endpoint as it is, or raise AWS's error for a missing one."""
    name = call.params["EndpointName"]
    endpoint = find_endpoint(call, name)
    if endpoint is None:
        raise ValidationFault(f'Could not find endpoint "{call.context.identity.sagemaker_arn("endpoint", name)}".')
    return endpoint


def find_endpoint(call: Call, name: str) -> Endpoint | None:
    """Return an endpoint after the step that is due for it, or None."""
    context = call.context
    with context.store.read() as connection:
        endpoint = tables.read_endpoint(connection, name)
    if endpoint is None:
        return None
    return launcher.settle(context.store, endpoint, context.now(), context.timing.endpoint_stop_s)


def _variants(endpoint: Endpoint, config: EndpointConfig | None) -> list[Response] | None:
    """Describe the variant in service; None while it is not, and once its configuration is deleted."""
    if config is None or endpoint.status != "InService":
        return None
    weight, count = config.variant.get("InitialVariantWeight", 1.0), config.variant.get("InitialInstanceCount")
    described = present(
        VariantName=config.variant["VariantName"],
        CurrentWeight=weight,
        DesiredWeight=weight,
        CurrentInstanceCount=count and 1,  # its one process
        DesiredInstanceCount=count,
    )
    return [described]


def _summary(endpoint: Endpoint) -> Response:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointStatus": endpoint.status,
        "CreationTime": as_datetime(endpoint.created),
        "LastModifiedTime": as_datetime(endpoint.modified),
    }


@serves("sagemaker", "ListEndpoints")
def list_endpoints(call: Call) -> Response:
    context = call.context
    launcher.settle_all(context.store, context.now(), context.timing.endpoint_stop_s)
    where = {**list_filters(call.params), "t.status = ?": call.params.get("StatusEquals")}
    with context.store.read() as connection:
        found, token = listing(connection, "SELECT t.* FROM endpoints t", where, call.params)
    return {"Endpoints": [_summary(typed(Endpoint, row)) for row in found], **token}


@serves("sagemaker", "DeleteEndpoint")
def delete_endpoint(call: Call) -> Response:
    """
    Delete an endpoint at once, even while it is being created, which AWS rejects.

    If its processes do not end in time, its status stays Deleting; each later look at it tries again.
    """
    context, endpoint = call.context, _require_endpoint(call)
    store, stop_s = context.store, context.timing.endpoint_stop_s
    with store.write() as connection:
        tables.set_deleting(connection, endpoint.folder, context.now())
    for _ in ("terminate", "kill", "delete"):
        with store.read() as connection:
            left = tables.endpoint_of(connection, endpoint.folder)
        if left is None or launcher.settle(store, left, context.now(), stop_s) is None:
            break
        context.waiter.until(lambda: not launcher.has_supervisor(store, endpoint), timeout_s=stop_s)
    return {}
