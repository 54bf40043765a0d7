"""Endpoint configurations and endpoints: accepted here, kept up by a supervisor process."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import time

from mnist_tracking.embedded import process_locks
from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.hosting import state
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.models import require_model
from mnist_tracking.embedded.services.rows import listing, present
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.tags import delete_tags, put_tags
from mnist_tracking.embedded.supervision import start_detached
from mnist_tracking.embedded.times import as_datetime

_MODULE = "mnist_tracking.embedded.hosting.supervisor"
_STOP_WITHIN_S = 5.0


@serves("sagemaker", "CreateEndpointConfig")
def create_endpoint_config(call: Call) -> Response:
    name, identity = call.params["EndpointConfigName"], call.engine.identity
    arn = identity.sagemaker_arn("endpoint-config", name)
    with call.engine.store.write() as connection:
        if _find_config(connection, name) is not None:
            raise ValidationFault(f'Cannot create already existing endpoint configuration "{arn}".')
        for variant in call.params["ProductionVariants"]:
            model = variant.get("ModelName", "")
            require_model(connection, model, identity.sagemaker_arn("model", model))
        connection.execute(
            "INSERT INTO endpoint_configs (name, arn, request, created) VALUES (?, ?, ?, ?)",
            (name, arn, json.dumps(call.params), call.engine.now()),
        )
        put_tags(connection, arn, call.params.get("Tags"))
    return {"EndpointConfigArn": arn}


def _find_config(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute("SELECT * FROM endpoint_configs WHERE name = ?", (name,)).fetchone()
    return row


def _require_config(connection: sqlite3.Connection, call: Call) -> sqlite3.Row:
    name = call.params["EndpointConfigName"]
    row = _find_config(connection, name)
    if row is None:
        arn = call.engine.identity.sagemaker_arn("endpoint-config", name)
        raise ValidationFault(f'Could not find endpoint configuration "{arn}".')
    return row


@serves("sagemaker", "DescribeEndpointConfig")
def describe_endpoint_config(call: Call) -> Response:
    with call.engine.store.read() as connection:
        row = _require_config(connection, call)
    return {
        "EndpointConfigName": row["name"],
        "EndpointConfigArn": row["arn"],
        "ProductionVariants": json.loads(row["request"])["ProductionVariants"],
        "CreationTime": as_datetime(row["created"]),
    }


@serves("sagemaker", "DeleteEndpointConfig")
def delete_endpoint_config(call: Call) -> Response:
    with call.engine.store.write() as connection:
        row = _require_config(connection, call)
        connection.execute("DELETE FROM endpoint_configs WHERE id = ?", (row["id"],))
        delete_tags(connection, row["arn"])
    return {}


@serves("sagemaker", "ListEndpointConfigs")
def list_endpoint_configs(call: Call) -> Response:
    with call.engine.store.read() as connection:
        where = {"instr(t.name, ?) > 0": call.params.get("NameContains")}
        found, token = listing(connection, "SELECT t.* FROM endpoint_configs t", where, call.params)
    configs = [
        {
            "EndpointConfigName": row["name"],
            "EndpointConfigArn": row["arn"],
            "CreationTime": as_datetime(row["created"]),
        }
        for row in found
    ]
    return {"EndpointConfigs": configs, **token}


@serves("sagemaker", "CreateEndpoint")
def create_endpoint(call: Call) -> Response:
    store, name, now = call.engine.store, call.params["EndpointName"], call.engine.now()
    arn = call.engine.identity.sagemaker_arn("endpoint", name)
    with store.write() as connection:
        config = _require_config(connection, call)
        _require_models_of(connection, call, config)
        if state.read_endpoint(connection, name) is not None:
            raise ValidationFault(f'Cannot create already existing endpoint "{arn}".')
        lock = process_locks.take(state.lock_of(store, name))
        connection.execute(
            "INSERT INTO endpoints (name, arn, config_name, status, created, modified) "
            "VALUES (?, ?, ?, 'Creating', ?, ?)",
            (name, arn, config["name"], now, now),
        )
        put_tags(connection, arn, call.params.get("Tags"))
    folder = state.folder_of(store, name)
    pid = start_detached(_MODULE, [str(store.home), name, str(lock)], lock=lock, folder=folder)
    (folder / "supervisor.pid").write_text(str(pid))
    return {"EndpointArn": arn}


def _require_models_of(connection: sqlite3.Connection, call: Call, config: sqlite3.Row) -> None:
    for variant in json.loads(config["request"])["ProductionVariants"]:
        require_model(
            connection, variant["ModelName"], call.engine.identity.sagemaker_arn("model", variant["ModelName"])
        )


@serves("sagemaker", "DescribeEndpoint")
def describe_endpoint(call: Call) -> Response:
    name = call.params["EndpointName"]
    state.recover_lost(call.engine.store, name, call.engine.now())
    with call.engine.store.read() as connection:
        row = _require_endpoint(connection, call)
    return present(**_summary(row), EndpointConfigName=row["config_name"], FailureReason=row["failure_reason"])


def _require_endpoint(connection: sqlite3.Connection, call: Call) -> sqlite3.Row:
    name = call.params["EndpointName"]
    row = state.read_endpoint(connection, name)
    if row is None:
        raise ValidationFault(f'Could not find endpoint "{call.engine.identity.sagemaker_arn("endpoint", name)}".')
    return row


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
    with call.engine.store.read() as connection:
        where = {
            "t.status = ?": call.params.get("StatusEquals"),
            "instr(t.name, ?) > 0": call.params.get("NameContains"),
        }
        found, token = listing(connection, "SELECT t.* FROM endpoints t", where, call.params)
    return {"Endpoints": [_summary(row) for row in found], **token}


@serves("sagemaker", "DeleteEndpoint")
def delete_endpoint(call: Call) -> Response:
    store, name = call.engine.store, call.params["EndpointName"]
    with store.read() as connection:
        row = _require_endpoint(connection, call)
    _stop(store, name)
    with store.write() as connection:
        connection.execute("DELETE FROM endpoints WHERE id = ?", (row["id"],))
        delete_tags(connection, row["arn"])
    shutil.rmtree(state.folder_of(store, name), ignore_errors=True)
    return {}


def _stop(store: Store, name: str) -> None:
    """Ask the supervisor to end, and wait a moment until it has; its lock says that the process is still that one."""
    lock, deadline = state.lock_of(store, name), time.monotonic() + _STOP_WITHIN_S
    number = signal.SIGTERM
    while process_locks.is_held(lock):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            os.kill(int((state.folder_of(store, name) / "supervisor.pid").read_text()), number)
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        time.sleep(0.02)
