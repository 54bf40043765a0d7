"""Training jobs: accepted here, run by a supervisor process."""

import json
import math
import re
import signal
import sqlite3
from typing import Any

from mnist_tracking.embedded.faults import (
    ResourceInUseFault,
    ResourceLimitFault,
    ResourceNotFoundFault,
    ValidationFault,
)
from mnist_tracking.embedded.jobs import component, state
from mnist_tracking.embedded.jobs.launch import send_signal, start_supervisor
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services import components, rows, trials
from mnist_tracking.embedded.services.rows import listing, present
from mnist_tracking.embedded.store.tags import put_tags
from mnist_tracking.embedded.times import as_datetime

_SUFFIX = "-aws-training-job"
_ECHOED = (
    "TrainingJobName",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "DebugHookConfig",
    "ProfilerConfig",
    "ExperimentConfig",
    "Environment",
    "RetryStrategy",
)


@serves("sagemaker", "CreateTrainingJob")
def create_training_job(call: Call) -> Response:
    engine, request, now = call.engine, call.params, call.engine.now()
    name = request["TrainingJobName"]
    arn = engine.identity.sagemaker_arn("training-job", name)
    _check_metrics(request)
    with engine.store.write() as connection:
        if state.read_job(connection, name) is not None:
            said = (
                "Training job names must be unique within an AWS account and region, and a training job with this name"
            )
            raise ResourceInUseFault(f"{said} already exists ({arn})")
        _check_quota(connection, call)
        component_id = _create_component(connection, call, arn, now)
        cursor = connection.execute(
            "INSERT INTO training_jobs (name, arn, request, python, component_id, status, secondary_status, created, "
            "modified) VALUES (?, ?, ?, ?, ?, 'InProgress', 'Starting', ?, ?)",
            (name, arn, json.dumps(request), engine.python, component_id, now, now),
        )
        put_tags(connection, arn, request.get("Tags"))
        state.enter_stage(connection, cursor.lastrowid or 0, "Starting", "Preparing the instances for training", now)
        start = start_supervisor(engine.store, name, engine.identity.region)
    start()
    return {"TrainingJobArn": arn}


def _check_metrics(request: dict[str, Any]) -> None:
    for item in request["AlgorithmSpecification"].get("MetricDefinitions", []):
        try:
            groups = re.compile(item["Regex"]).groups
        except re.error as error:
            raise ValidationFault(f"The regex of metric {item['Name']} does not compile: {error}") from None
        if not groups:
            raise ValidationFault(f"The regex of metric {item['Name']} must have a capture group: {item['Regex']}")


def _check_quota(connection: sqlite3.Connection, call: Call) -> None:
    kind = call.params["ResourceConfig"].get("InstanceType", "")
    most = call.engine.quotas.get(kind)
    if most is None:
        return
    running = connection.execute("SELECT request FROM training_jobs WHERE status IN ('InProgress', 'Stopping')")
    used = sum(json.loads(row["request"])["ResourceConfig"].get("InstanceType") == kind for row in running)
    if used >= most:
        raise ResourceLimitFault(
            f"The account-level service limit '{kind} for training job usage' is {most} Instances, with current "
            f"utilization of {used} Instances and a request delta of 1 Instances. Please use AWS Service Quotas to "
            "request an increase for this quota."
        )


def _create_component(connection: sqlite3.Connection, call: Call, arn: str, now: float) -> int:
    request, identity = call.params, call.engine.identity
    config = request.get("ExperimentConfig", {})
    name = request["TrainingJobName"] + _SUFFIX
    rows.refuse_taken(connection, "components", name)
    row_id = components.insert(connection, name, identity.sagemaker_arn("experiment-trial-component", name), now)
    connection.execute(
        "UPDATE components SET display_name = ?, source_arn = ?, source_type = 'SageMakerTrainingJob', "
        "status = 'InProgress' WHERE id = ?",
        (config.get("TrialComponentDisplayName", name), arn, row_id),
    )
    components.put_parameters(connection, row_id, component.parameters(request))
    components.put_artifacts(connection, row_id, "Input", component.inputs(request))
    if hook := request.get("DebugHookConfig"):
        hook_output = {"SageMaker.DebugHookOutput": {"Value": hook["S3OutputPath"]}}
        components.put_artifacts(connection, row_id, "Output", hook_output)
    if trial_name := config.get("TrialName"):
        trial = rows.get(connection, "trials", trial_name, identity)
        trials.associate(connection, trial["id"], row_id, now)
    elif experiment := config.get("ExperimentName"):
        rows.get(connection, "experiments", experiment, identity)
    return row_id


@serves("sagemaker", "DescribeTrainingJob")
def describe_training_job(call: Call) -> Response:
    name = call.params["TrainingJobName"]
    state.recover_lost(call.engine.store, call.engine.now(), name)
    with call.engine.store.snapshot() as connection:
        return describe(connection, _require(connection, name))


def _require(connection: sqlite3.Connection, name: str) -> sqlite3.Row:
    job = state.read_job(connection, name)
    if job is None:
        raise ResourceNotFoundFault("Requested resource not found.")
    return job


def describe(connection: sqlite3.Connection, job: sqlite3.Row) -> Response:
    """Build what DescribeTrainingJob and Search say of a job."""
    request = state.request_of(job)
    echoed = {name: request[name] for name in _ECHOED if name in request}
    output = {"KmsKeyId": "", "CompressionType": "GZIP", **request["OutputDataConfig"]}
    seconds = max(1, math.ceil((job["ended"] or job["modified"]) - job["started"])) if job["started"] else None
    return {
        **echoed,
        "OutputDataConfig": output,
        **present(
            TrainingJobArn=job["arn"],
            TrainingJobStatus=job["status"],
            SecondaryStatus=job["secondary_status"],
            SecondaryStatusTransitions=_stages(connection, job["id"]),
            FailureReason=job["failure_reason"],
            ModelArtifacts={"S3ModelArtifacts": component.model_uri(request)},
            FinalMetricDataList=_final_metrics(connection, job["component_id"]) or None,
            CreationTime=as_datetime(job["created"]),
            TrainingStartTime=job["started"] and as_datetime(job["started"]),
            TrainingEndTime=job["ended"] and as_datetime(job["ended"]),
            LastModifiedTime=as_datetime(job["modified"]),
            TrainingTimeInSeconds=seconds,
            BillableTimeInSeconds=seconds,
        ),
    }


def _stages(connection: sqlite3.Connection, job_id: int) -> list[Response]:
    found = connection.execute("SELECT * FROM training_job_stages WHERE job_id = ? ORDER BY id", (job_id,))
    return [
        present(
            Status=row["status"],
            StatusMessage=row["message"],
            StartTime=as_datetime(row["started"]),
            EndTime=row["ended"] and as_datetime(row["ended"]),
        )
        for row in found
    ]


def _final_metrics(connection: sqlite3.Connection, component_id: int | None) -> list[Response]:
    found = connection.execute(
        "SELECT * FROM metric_summaries WHERE component_id = ? ORDER BY name LIMIT 40", (component_id,)
    )
    return [
        {"MetricName": row["name"], "Value": row["last"], "Timestamp": as_datetime(row["timestamp"])} for row in found
    ]


@serves("sagemaker", "StopTrainingJob")
def stop_training_job(call: Call) -> Response:
    name, now = call.params["TrainingJobName"], call.engine.now()
    with call.engine.store.write() as connection:
        job = _require(connection, name)
        if job["status"] in state.ENDED:
            raise ValidationFault(f"The request was rejected because the training job is in status {job['status']}.")
        if job["status"] == "InProgress":
            connection.execute("UPDATE training_jobs SET status = 'Stopping' WHERE id = ?", (job["id"],))
            connection.execute("UPDATE components SET status = 'Stopping' WHERE id = ?", (job["component_id"],))
            state.enter_stage(connection, job["id"], "Stopping", "Stopping the training job", now)
    send_signal(call.engine.store, name, signal.SIGTERM)
    return {}


@serves("sagemaker", "ListTrainingJobs")
def list_training_jobs(call: Call) -> Response:
    params = call.params
    state.recover_lost(call.engine.store, call.engine.now())
    where = {
        "t.status = ?": params.get("StatusEquals"),
        "instr(t.name, ?) > 0": params.get("NameContains"),
    }
    with call.engine.store.read() as connection:
        sorted_params = {"SortBy": "CreationTime", **params, "CreatedAfter": params.get("CreationTimeAfter")}
        sorted_params["CreatedBefore"] = params.get("CreationTimeBefore")
        found, token = listing(connection, "SELECT t.* FROM training_jobs t", where, sorted_params)
    return {"TrainingJobSummaries": [_summary(job) for job in found], **token}


def _summary(job: sqlite3.Row) -> Response:
    return present(
        TrainingJobName=job["name"],
        TrainingJobArn=job["arn"],
        TrainingJobStatus=job["status"],
        SecondaryStatus=job["secondary_status"],
        CreationTime=as_datetime(job["created"]),
        TrainingEndTime=job["ended"] and as_datetime(job["ended"]),
        LastModifiedTime=as_datetime(job["modified"]),
    )
