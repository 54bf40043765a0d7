"""The status of a job: its row, its stages and its trial component, changed together in the caller's transaction."""

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_tracking.embedded.jobs.hosts import instances_of
from mnist_tracking.embedded.jobs.interpreter import interpreter
from mnist_tracking.embedded.jobs.metric_values import MetricValue
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.logs import add_lines
from mnist_tracking.embedded.store.metric_summaries import record_metric
from mnist_tracking.embedded.store.pages import OWNERS, rows_by_owner

Stage = tuple[int, str, str, float, float | None]
"""A stage of a job: the job's id, the secondary status, its message, and when it began and ended."""
ENDED = ("Completed", "Failed", "Stopped")
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
REASON_LENGTH = 1024
MODEL = "SageMaker.ModelArtifact"
"""The output artifact of a job's component that is its model."""
DEFAULT_RUNTIME_S = 86_400
"""MaxRuntimeInSeconds of a request that does not set it."""
_FINAL_MESSAGES = {
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


def component_parameters(request: dict[str, Any], python: str) -> dict[str, dict[str, Any]]:
    """
    Return a job's parameters typed as by the service: numbers as numbers, all others verbatim, with their quotes.

    The image is the interpreter that runs the script: the container that was asked for never runs.
    """
    resources = request["ResourceConfig"]
    instances = instances_of(request)
    found: dict[str, dict[str, Any]] = {
        "SageMaker.ImageUri": {"StringValue": interpreter(python)},
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
    is_plain = math.isfinite(number) and "_" not in value and value == value.strip()  # unlike what Python reads
    return {"NumberValue": number} if is_plain else {"StringValue": value}


def component_inputs(request: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return an input artifact for each channel."""
    return {
        channel["ChannelName"]: {"Value": channel["DataSource"]["S3DataSource"]["S3Uri"]}
        for channel in request.get("InputDataConfig", [])
    }


def model_uri(request: dict[str, Any]) -> str:
    """Return the URI of a job's model."""
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
    """Record the status of a job on its component."""
    connection.execute(
        "UPDATE components SET status = ?, message = ?, ended = ?, modified = ? WHERE id = ?",
        (status, message and message[:1024], ended, now, component_id),
    )


def put_model(connection: sqlite3.Connection, component_id: int, request: str) -> None:
    """Record the model of a job."""
    connection.execute(
        "INSERT OR REPLACE INTO component_artifacts VALUES (?, 'Output', ?, ?, NULL)",
        (component_id, MODEL, model_uri(json.loads(request))),
    )


def job_folder(home: Path, name: str) -> Path:
    """Return the folder of a job."""
    return home / "jobs" / name


def ml_of(store: Store, name: str, host: str) -> Path:
    """Return the folder that is /opt/ml on a host of a job."""
    return job_folder(store.home, name) / "ml" / host


def read_job(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    """Return a job's row, or None."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM training_jobs WHERE name = ?", (name,)).fetchone()
    return row


def request_of(job: sqlite3.Row) -> dict[str, Any]:
    """Return the request of CreateTrainingJob."""
    request: dict[str, Any] = json.loads(job["request"])
    return request


def stages_of(connection: sqlite3.Connection, job_ids: Sequence[int]) -> Mapping[int, list[Stage]]:
    """Return the stages of jobs, in order."""
    columns = "job_id, status, message, started, ended"
    sql = f"SELECT {columns} FROM training_job_stages WHERE job_id IN {OWNERS} ORDER BY job_id, id"
    return rows_by_owner(connection, sql, job_ids)


def enter_stage(connection: sqlite3.Connection, job_id: int, status: str, message: str, now: float) -> None:
    """Record that a job has entered a stage, which ends the previous one."""
    connection.execute("UPDATE training_job_stages SET ended = ? WHERE job_id = ? AND ended IS NULL", (now, job_id))
    ended = now if status in _FINAL_MESSAGES else None
    connection.execute(
        "INSERT INTO training_job_stages (job_id, status, message, started, ended) VALUES (?, ?, ?, ?, ?)",
        (job_id, status, message, now, ended),
    )
    connection.execute(
        "UPDATE training_jobs SET secondary_status = ?, modified = ? WHERE id = ?", (status, now, job_id)
    )


def register_supervisor(connection: sqlite3.Connection, job_id: int, pid: int) -> None:
    """Record that a supervisor can be signalled; earlier requests to stop have not reached it."""
    connection.execute("UPDATE training_jobs SET supervisor_pid = ? WHERE id = ?", (pid, job_id))


def is_stopping(connection: sqlite3.Connection, job_id: int) -> bool:
    """Whether the job has been requested to stop."""
    query = "SELECT status = 'Stopping' FROM training_jobs WHERE id = ?"
    return bool(connection.execute(query, (job_id,)).fetchone()[0])


def begin_stopping(connection: sqlite3.Connection, job_id: int, now: float) -> None:
    """Record on a job and its component that it is stopping."""
    enter_stage(connection, job_id, "Stopping", "Stopping the training job", now)
    connection.execute("UPDATE training_jobs SET status = 'Stopping' WHERE id = ?", (job_id,))
    component_id = _own_component(connection, job_id)
    connection.execute("UPDATE components SET status = 'Stopping', modified = ? WHERE id = ?", (now, component_id))


def begin_downloading(connection: sqlite3.Connection, job_id: int, now: float, gpus: Sequence[str] = ()) -> None:
    """
    Record on a job and its component that it has its instances, and copies its input: its time starts to count.

    Its GPUs are its own until it ends.
    """
    enter_stage(connection, job_id, "Downloading", "Downloading input data", now)
    connection.execute("UPDATE training_jobs SET started = ?, gpus = ? WHERE id = ?", (now, json.dumps(gpus), job_id))
    component_id = _own_component(connection, job_id)
    connection.execute("UPDATE components SET started = ?, modified = ? WHERE id = ?", (now, now, component_id))


def begin_training(connection: sqlite3.Connection, job_id: int, now: float) -> None:
    """Record that the script starts."""
    enter_stage(connection, job_id, "Training", "Training image download completed. Training in progress.", now)


def end_job(
    connection: sqlite3.Connection,
    job_id: int,
    *,
    status: str,
    now: float,
    secondary: str | None = None,
    reason: str | None = None,
    has_model: bool = False,
) -> None:
    """Record how a job ended, on its row, its stages and its component."""
    reason = reason and reason[:REASON_LENGTH]
    secondary = secondary or status
    enter_stage(connection, job_id, secondary, _FINAL_MESSAGES[secondary], now)
    connection.execute(
        "UPDATE training_jobs SET status = ?, failure_reason = ?, ended = ?, supervisor_pid = NULL WHERE id = ?",
        (status, reason, now, job_id),
    )
    own, component_id = _own_component(connection, job_id), _component(connection, job_id)
    if own is not None:
        set_outcome(connection, own, status=status, message=reason, ended=now, now=now)
    if component_id is not None and has_model:
        request = connection.execute("SELECT request FROM training_jobs WHERE id = ?", (job_id,)).fetchone()[0]
        put_model(connection, component_id, request)


def record(
    connection: sqlite3.Connection,
    job_id: int,
    stream: str,
    lines: list[tuple[float, str]],
    values: list[MetricValue],
) -> None:
    """Add lines to a job's log, and values to its component's metrics."""
    add_lines(connection, LOG_GROUP, stream, lines)
    component_id = _component(connection, job_id)
    if component_id is not None:
        for value in values:
            record_metric(connection, component_id, value.name, value.value, value.timestamp, value.step)


def _own_component(connection: sqlite3.Connection, job_id: int) -> int | None:
    """Return the id of a job's component; None for that of a run, whose status and times are not the job's."""
    row = connection.execute(
        "SELECT c.id FROM training_jobs j JOIN components c ON c.id = j.component_id AND c.source_arn = j.arn "
        "WHERE j.id = ?",
        (job_id,),
    ).fetchone()
    return None if row is None else int(row["id"])


def _component(connection: sqlite3.Connection, job_id: int) -> int | None:
    """Return the id of a job's component, read each time: it may be deleted while the job runs."""
    row = connection.execute("SELECT component_id FROM training_jobs WHERE id = ?", (job_id,)).fetchone()
    found: int | None = row["component_id"]
    return found
