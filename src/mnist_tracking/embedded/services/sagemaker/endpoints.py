"""Endpoints: created here, each run by a supervisor process."""

import json
import sqlite3

from mnist_tracking.embedded.faults import AwsFault, ValidationFault
from mnist_tracking.embedded.hosting import launcher, state
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import listing, present
from mnist_tracking.embedded.services.sagemaker.endpoint_configs import require_config
from mnist_tracking.embedded.services.sagemaker.models import check_is_new, container_of, list_filters, require_model
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.supervision import SupervisorSettings
from mnist_tracking.embedded.times import as_datetime


@serves("sagemaker", "CreateEndpoint")
def create_endpoint(call: Call) -> Response:
    store, name, now = call.context.store, call.params["EndpointName"], call.context.now()
    arn = call.context.identity.sagemaker_arn("endpoint", name)
    with store.write() as connection:
        check_is_new(connection, "endpoints", name, f'endpoint "{arn}"')
        config = require_config(connection, call)
        lock = _prepare(connection, call, config)
        connection.execute(
            "INSERT INTO endpoints (name, arn, config_name, status, created, modified) "
            "VALUES (?, ?, ?, 'Creating', ?, ?)",
            (name, arn, config["name"], now, now),
        )
        put_tags(connection, arn, call.params.get("Tags"))
    try:
        launcher.start(store, name, lock)
    except (
        BaseException
    ) as error:  # also for an interrupt: without a process, the endpoint would stay in Creating forever
        _undo(store, name, arn)
        if not isinstance(error, OSError):
            raise
        raise AwsFault(f"The endpoint's process cannot be started: {error}.", status=500) from error
    return {"EndpointArn": arn}


def _undo(store: Store, name: str, arn: str) -> None:
    with store.write() as connection:
        connection.execute("DELETE FROM endpoints WHERE name = ?", (name,))
        remove_all_tags(connection, arn)
        delete_folder = launcher.set_aside(store, name)
    delete_folder()


def _prepare(connection: sqlite3.Connection, call: Call, config: sqlite3.Row) -> int:
    variant = json.loads(config["request"])["ProductionVariants"][0]
    model = require_model(connection, call, variant.get("ModelName", ""))
    return launcher.prepare(
        call.context.store,
        call.params["EndpointName"],
        container=container_of(json.loads(model["request"])),
        variant=variant,
        python=model["python"],
        settings=SupervisorSettings.of(call.context),
    )


@serves("sagemaker", "DescribeEndpoint")
def describe_endpoint(call: Call) -> Response:
    launcher.recover_lost_endpoints(call.context.store, call.context.now(), call.params["EndpointName"])
    with call.context.store.snapshot() as connection:
        row = _require_endpoint(connection, call)
        variants = _variants(connection, row)
    return present(
        **_summary(row),
        EndpointConfigName=row["config_name"],
        FailureReason=row["failure_reason"],
        ProductionVariants=variants,
    )


def _require_endpoint(connection: sqlite3.Connection, call: Call) -> sqlite3.Row:
    name = call.params["EndpointName"]
    row = state.read_endpoint(connection, name)
    if row is None:
        raise ValidationFault(f'Could not find endpoint "{call.context.identity.sagemaker_arn("endpoint", name)}".')
    return row


def _variants(connection: sqlite3.Connection, row: sqlite3.Row) -> list[Response] | None:
    """Describe the variant in service; None while it is not, and once its configuration is deleted."""
    query = "SELECT request FROM endpoint_configs WHERE name = ?"
    config = connection.execute(query, (row["config_name"],)).fetchone()
    if config is None or row["status"] != "InService":
        return None
    variant = json.loads(config["request"])["ProductionVariants"][0]
    weight, count = variant.get("InitialVariantWeight", 1.0), variant.get("InitialInstanceCount")
    described = present(
        VariantName=variant["VariantName"],
        CurrentWeight=weight,
        DesiredWeight=weight,
        CurrentInstanceCount=count and 1,  # its one process
        DesiredInstanceCount=count,
    )
    return [described]


def _summary(row: sqlite3.Row) -> Response:
    return {
        "EndpointName": row["name"],
        "EndpointArn": row["arn"],
        "EndpointStatus": row["status"],
        "CreationTime": as_datetime(row["created"]),
        "LastModifiedTime": as_datetime(row["modified"]),
    }


@serves("sagemaker", "ListEndpoints")
def list_endpoints(call: Call) -> Response:
    launcher.recover_lost_endpoints(call.context.store, call.context.now())
    where = {**list_filters(call.params), "t.status = ?": call.params.get("StatusEquals")}
    select = "SELECT t.* FROM endpoints t"
    with call.context.store.read() as connection:
        found, token = listing(connection, select, where, call.params)
    return {"Endpoints": [_summary(row) for row in found], **token}


@serves("sagemaker", "DeleteEndpoint")
def delete_endpoint(call: Call) -> Response:
    """Delete an endpoint at once, even while it is being created, which AWS rejects."""
    store = call.context.store
    with store.write() as connection:
        row = _require_endpoint(connection, call)
        connection.execute("UPDATE endpoints SET status = 'Deleting' WHERE id = ?", (row["id"],))
    launcher.stop(store, row["name"], call.context.waiter, timeout_s=call.context.timing.endpoint_stop_s)
    with store.write() as connection:
        about = (row["id"], row["created"])
        gone = connection.execute("DELETE FROM endpoints WHERE id = ? AND created = ?", about).rowcount
        remove_all_tags(connection, row["arn"])
        delete_folder = launcher.set_aside(store, row["name"]) if gone else None
    if delete_folder:  # otherwise another process has deleted it first
        delete_folder()
    return {}
