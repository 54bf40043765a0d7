"""Trial components."""

import math
import sqlite3
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.jobs.launcher import recover_lost_jobs
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.services.resources import (
    check_name_is_free,
    get,
    listing,
    metadata_in,
    metadata_of,
    present,
    touch,
)
from mnist_tracking.embedded.services.sagemaker.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.store.metric_summaries import summaries_of
from mnist_tracking.embedded.times import as_datetime, as_seconds

MAX_PARAMETERS = 300
MAX_ARTIFACTS = 60
_FROM_SOURCE = (  # the component of a job, and those of the runs that it is part of
    "t.id IN (WITH asked (arn) AS (SELECT ?) "
    "SELECT c.id FROM asked JOIN components c ON c.source_arn = asked.arn "
    "UNION SELECT s.component_id FROM asked JOIN component_sources s ON s.arn = asked.arn)"
)


@serves("sagemaker", "CreateTrialComponent")
def create_trial_component(call: Call) -> Response:
    name, now = call.params["TrialComponentName"], call.context.now()
    arn = call.context.identity.sagemaker_arn("experiment-trial-component", name)
    with call.context.store.write() as connection:
        check_name_is_free(connection, "components", name)
        row_id = insert(connection, name, arn, now, metadata=metadata_in(call.params))
        _apply(connection, row_id, {"DisplayName": name, **call.params}, now)
        put_tags(connection, arn, call.params.get("Tags"))
    return {"TrialComponentArn": arn}


def insert(connection: sqlite3.Connection, name: str, arn: str, now: float, *, metadata: str | None = None) -> int:
    """Add an empty component and return its row's id."""
    cursor = connection.execute(
        "INSERT INTO components (name, arn, display_name, created, modified, metadata) VALUES (?, ?, ?, ?, ?, ?)",
        (name, arn, name, now, now, metadata),
    )
    return int(cursor.lastrowid or 0)


@serves("sagemaker", "UpdateTrialComponent")
def update_trial_component(call: Call) -> Response:
    with call.context.store.write() as connection:
        row = get(connection, "components", call.params["TrialComponentName"], call.context.identity)
        _apply(connection, row["id"], call.params, call.context.now())
    return {"TrialComponentArn": row["arn"]}


def _apply(connection: sqlite3.Connection, row_id: int, params: Params, now: float) -> None:
    """Merge the members of a request into a component. Removals are applied last, as by the service."""
    moments = {name: as_seconds(params[name]) for name in ("StartTime", "EndTime") if params.get(name) is not None}
    columns = [
        ("display_name", params.get("DisplayName")),
        ("started", moments.get("StartTime")),
        ("ended", moments.get("EndTime")),
    ]
    touch(connection, "components", row_id, now, columns)
    if status := params.get("Status"):
        _put_status(connection, row_id, status)
    put_parameters(connection, row_id, params.get("Parameters", {}))
    put_artifacts(connection, row_id, "Input", params.get("InputArtifacts", {}))
    put_artifacts(connection, row_id, "Output", params.get("OutputArtifacts", {}))
    _remove(connection, row_id, params)
    check_limits(connection, row_id)


def _put_status(connection: sqlite3.Connection, row_id: int, status: dict[str, str]) -> None:
    """Replace the status as a whole, so that no message outlives its status."""
    values = (status.get("PrimaryStatus"), status.get("Message"), row_id)
    connection.execute("UPDATE components SET status = ?, message = ? WHERE id = ?", values)


def put_parameters(connection: sqlite3.Connection, row_id: int, parameters: dict[str, dict[str, Any]]) -> None:
    """Set parameters, each ``{"NumberValue": ...}`` or ``{"StringValue": ...}``."""
    connection.executemany(
        "INSERT OR REPLACE INTO component_parameters VALUES (?, ?, ?, ?)",
        [(row_id, name, _number(name, value), value.get("StringValue")) for name, value in parameters.items()],
    )


def _number(name: str, value: dict[str, Any]) -> float | None:
    if "NumberValue" not in value:
        return None
    number = float(value["NumberValue"])
    if not math.isfinite(number):
        raise ValidationFault(f"The value {number} of the parameter {name!r} is not a finite number.")
    return number


def put_artifacts(
    connection: sqlite3.Connection, row_id: int, direction: str, artifacts: dict[str, dict[str, str]]
) -> None:
    """Set input or output artifacts, each ``{"Value": ...}``, optionally with ``"MediaType"``."""
    connection.executemany(
        "INSERT OR REPLACE INTO component_artifacts VALUES (?, ?, ?, ?, ?)",
        [(row_id, direction, name, a["Value"], a.get("MediaType")) for name, a in artifacts.items()],
    )


def _remove(connection: sqlite3.Connection, row_id: int, params: Params) -> None:
    connection.executemany(
        "DELETE FROM component_parameters WHERE component_id = ? AND name = ?",
        [(row_id, name) for name in params.get("ParametersToRemove", ())],
    )
    for direction in ("Input", "Output"):
        connection.executemany(
            "DELETE FROM component_artifacts WHERE component_id = ? AND direction = ? AND name = ?",
            [(row_id, direction, name) for name in params.get(f"{direction}ArtifactsToRemove", ())],
        )


def check_limits(connection: sqlite3.Connection, row_id: int) -> None:
    """Raise AWS's error if a component has too many parameters or artifacts."""
    for table, most, what in (
        ("component_parameters", MAX_PARAMETERS, "parameters"),
        ("component_artifacts WHERE direction = 'Input' AND", MAX_ARTIFACTS, "input artifacts"),
        ("component_artifacts WHERE direction = 'Output' AND", MAX_ARTIFACTS, "output artifacts"),
    ):
        where = table if " WHERE " in table else f"{table} WHERE"
        used = connection.execute(f"SELECT count(*) FROM {where} component_id = ?", (row_id,)).fetchone()[0]
        if used > most:
            raise ValidationFault(
                f"A trial component can have at most {most} {what}; with this request it would have {used}."
            )


@serves("sagemaker", "DescribeTrialComponent")
def describe_trial_component(call: Call) -> Response:
    recover_lost_jobs(call.context.store, call.context.now())
    with call.context.store.snapshot() as connection:
        row = get(connection, "components", call.params["TrialComponentName"], call.context.identity)
        return {**describe(connection, row), **present(Sources=_sources(connection, row["id"]) or None)}


def describe(connection: sqlite3.Connection, row: sqlite3.Row) -> Response:
    """Build the members that DescribeTrialComponent and Search return."""
    return {
        **_common(row),
        **present(Source=_source(row), MetadataProperties=metadata_of(row)),
        "Parameters": _parameters(connection, row["id"]),
        "InputArtifacts": _artifacts(connection, row["id"], "Input"),
        "OutputArtifacts": _artifacts(connection, row["id"], "Output"),
        "Metrics": _metrics(connection, row),
    }


def _sources(connection: sqlite3.Connection, row_id: int) -> list[Response]:
    """List the jobs of a run."""
    found = connection.execute("SELECT * FROM component_sources WHERE component_id = ? ORDER BY arn", (row_id,))
    return [{"SourceArn": row["arn"], "SourceType": row["type"]} for row in found]


def _source(row: sqlite3.Row) -> Response | None:
    return present(SourceArn=row["source_arn"], SourceType=row["source_type"]) if row["source_arn"] else None


def _common(row: sqlite3.Row) -> Response:
    """Build the members that every operation returns."""
    status = present(PrimaryStatus=row["status"], Message=row["message"]) or None
    return present(
        TrialComponentName=row["name"],
        TrialComponentArn=row["arn"],
        DisplayName=row["display_name"],
        Status=status,
        StartTime=None if row["started"] is None else as_datetime(row["started"]),
        EndTime=None if row["ended"] is None else as_datetime(row["ended"]),
        CreationTime=as_datetime(row["created"]),
        LastModifiedTime=as_datetime(row["modified"]),
        CreatedBy={},
        LastModifiedBy={},
    )


def _parameters(connection: sqlite3.Connection, row_id: int) -> Response:
    rows = connection.execute("SELECT * FROM component_parameters WHERE component_id = ? ORDER BY name", (row_id,))
    return {r["name"]: present(NumberValue=r["number"], StringValue=r["string"]) for r in rows}


def _artifacts(connection: sqlite3.Connection, row_id: int, direction: str) -> Response:
    rows = connection.execute(
        "SELECT * FROM component_artifacts WHERE component_id = ? AND direction = ? ORDER BY name", (row_id, direction)
    )
    return {r["name"]: present(MediaType=r["media_type"], Value=r["value"]) for r in rows}


def _metrics(connection: sqlite3.Connection, row: sqlite3.Row) -> list[Response]:
    return [
        {
            "MetricName": found.name,
            "SourceArn": row["source_arn"] or row["arn"],
            "TimeStamp": as_datetime(found.timestamp),
            "Max": found.maximum,
            "Min": found.minimum,
            "Last": found.last,
            "Count": found.count,
            "Avg": found.mean,
            "StdDev": found.deviation,
        }
        for found in summaries_of(connection, row["id"])
    ]


@serves("sagemaker", "DeleteTrialComponent")
def delete_trial_component(call: Call) -> Response:
    with call.context.store.write() as connection:
        row = get(connection, "components", call.params["TrialComponentName"], call.context.identity)
        if connection.execute("SELECT 1 FROM associations WHERE component_id = ?", (row["id"],)).fetchone():
            raise ValidationFault(f"TrialComponent '{row['arn']}' is linked to 1 or more trials and cannot be deleted.")
        connection.execute("DELETE FROM components WHERE id = ?", (row["id"],))
        remove_all_tags(connection, row["arn"])
    return {"TrialComponentArn": row["arn"]}


@serves("sagemaker", "ListTrialComponents")
def list_trial_components(call: Call) -> Response:
    params = call.params
    if len({"ExperimentName", "TrialName", "SourceArn"} & params.keys()) > 1:
        raise ValidationFault("Only one of ExperimentName, TrialName and SourceArn can be given.")
    recover_lost_jobs(call.context.store, call.context.now())
    with call.context.store.read() as connection:
        rows, token = listing(connection, "SELECT t.* FROM components t", _scope(connection, call), params)
    found = [{**_common(row), **present(TrialComponentSource=_source(row))} for row in rows]
    return {"TrialComponentSummaries": found, **token}


def _scope(connection: sqlite3.Connection, call: Call) -> dict[str, Any]:
    params, identity = call.params, call.context.identity
    if trial := params.get("TrialName"):
        row = get(connection, "trials", trial, identity)
        return {"t.id IN (SELECT component_id FROM associations WHERE trial_id = ?)": row["id"]}
    if experiment := params.get("ExperimentName"):
        row = get(connection, "experiments", experiment, identity)
        trials = "SELECT id FROM trials WHERE experiment_id = ?"
        return {f"t.id IN (SELECT component_id FROM associations WHERE trial_id IN ({trials}))": row["id"]}
    return {_FROM_SOURCE: params.get("SourceArn")}
