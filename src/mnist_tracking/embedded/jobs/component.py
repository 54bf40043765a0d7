"""The trial component that SageMaker makes for every training job."""

import json
import math
import sqlite3
from typing import Any

from mnist_tracking.embedded.jobs.hosts import instances_of


def parameters(request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a job's parameters as the service types them: numbers as numbers, all else verbatim, quotes included."""
    resources = request["ResourceConfig"]
    instances = instances_of(request)
    found: dict[str, dict[str, Any]] = {
        "SageMaker.ImageUri": {"StringValue": request["AlgorithmSpecification"].get("TrainingImage", "")},
        "SageMaker.InstanceCount": {"NumberValue": float(instances.total())},
        "SageMaker.InstanceType": {"StringValue": ", ".join(instances)},
        "SageMaker.VolumeSizeInGB": {"NumberValue": float(resources.get("VolumeSizeInGB", 0))},
    }
    return found | {name: _typed(value) for name, value in request.get("HyperParameters", {}).items()}


def _typed(value: str) -> dict[str, Any]:
    try:
        number = float(value)
    except ValueError:
        return {"StringValue": value}
    return {"NumberValue": number} if math.isfinite(number) else {"StringValue": value}


def inputs(request: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return an input artifact for each channel."""
    return {
        channel["ChannelName"]: {"Value": channel["DataSource"]["S3DataSource"]["S3Uri"]}
        for channel in request.get("InputDataConfig", [])
    }


def model_uri(request: dict[str, Any]) -> str:
    """Return where a job's model goes."""
    return f"{request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{request['TrainingJobName']}/output/model.tar.gz"


def set_outcome(
    connection: sqlite3.Connection,
    component_id: int,
    *,
    status: str,
    message: str | None,
    ended: float | None,
    now: float,
) -> None:
    """Record how a job stands on its component."""
    connection.execute(
        "UPDATE components SET status = ?, message = ?, ended = ?, modified = ? WHERE id = ?",
        (status, message and message[:1024], ended, now, component_id),
    )


def put_model(connection: sqlite3.Connection, component_id: int, request: str) -> None:
    """Record the model that a job has saved."""
    connection.execute(
        "INSERT OR REPLACE INTO component_artifacts VALUES (?, 'Output', 'SageMaker.ModelArtifact', ?, NULL)",
        (component_id, model_uri(json.loads(request))),
    )
