"""Training jobs and their trial components: created here, run by a supervisor process."""

import ctypes
import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mnist_tracking.embedded.faults import (
    ResourceInUseFault,
    ResourceLimitFault,
    ValidationFault,
)
from mnist_tracking.embedded.jobs import checks, state
from mnist_tracking.embedded.jobs.hosts import instances_of
from mnist_tracking.embedded.jobs.interpreter import interpreter
from mnist_tracking.embedded.jobs.launcher import Launch, recover_lost_jobs, signal_stop
from mnist_tracking.embedded.jobs.state import Stage
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.services.resources import (
    listing,
    present,
    require_component,
    require_experiment,
    require_trial,
)
from mnist_tracking.embedded.services.sagemaker import components, trials
from mnist_tracking.embedded.services.sagemaker.roles import check_role
from mnist_tracking.embedded.store.components import add_job_of_run, put_source, update_component
from mnist_tracking.embedded.store.metric_summaries import MetricSummary, summaries_of
from mnist_tracking.embedded.store.tags import put_tags
from mnist_tracking.embedded.supervision import SupervisorSettings
from mnist_tracking.embedded.times import as_datetime, as_seconds
from mnist_tracking.errors import UnsupportedOperationError

SOURCE_TYPE = "SageMakerTrainingJob"
_COMPONENT_SUFFIX = "-aws-training-job"
_TRIAL_SUFFIX = "-aws-trial"  # of the trial for a job that names only its experiment; AWS's own suffix is unknown
_NOT_SEARCHED = frozenset(
    {
        "InfraCheckConfig",
        "MlflowConfig",
        "ProfilerRuleConfigurations",
        "RemoteDebugConfig",
        "ServerlessJobConfig",
    }
)
"""Members of a request that DescribeTrainingJob returns, but Search does not."""
_MOST_FINAL_METRICS = 40
_NEVER_RETURNED = frozenset({"OutputDataConfig", "SessionChainingConfig", "Tags"})
_SWITCHES = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")


def component_of(connection: sqlite3.Connection, call: Call, arn: str, now: float) -> int:
    """
    Return the row of the component for a job's parameters, artifacts and metrics.

    ``ExperimentConfig.RunName``, which ``sagemaker.experiments.Run`` sends, names the existing component of a run. The
    job does not change its status and times. All other jobs get their own component.
    """
    request = call.params
    config = request.get("ExperimentConfig", {})
    row_id = _use_run(connection, call, arn) if "RunName" in config else _create_component(connection, call, arn, now)
    components.put_parameters(connection, row_id, state.component_parameters(request, call.context.python))
    components.put_artifacts(connection, row_id, "Input", state.component_inputs(request))
    if hook := request.get("DebugHookConfig"):
        hook_output = {"SageMaker.DebugHookOutput": {"Value": hook["S3OutputPath"]}}
        components.put_artifacts(connection, row_id, "Output", hook_output)
    components.check_limits(connection, row_id)
    update_component(connection, row_id, now, display_name=config.get("TrialComponentDisplayName"))
    trial_id = _trial_of(connection, call, config)
    if trial_id is not None:
        trials.associate(call.context, connection, trial_id, row_id)
    return row_id


def _use_run(connection: sqlite3.Connection, call: Call, arn: str) -> int:
    run = require_component(connection, call.params["ExperimentConfig"]["RunName"], call.context)
    add_job_of_run(connection, run.id, arn, SOURCE_TYPE)
    return run.id


def _create_component(connection: sqlite3.Connection, call: Call, arn: str, now: float) -> int:
    name = call.params["TrainingJobName"] + _COMPONENT_SUFFIX
    own = call.context.identity.sagemaker_arn("experiment-trial-component", name)
    row_id = components.create(connection, name, own, now)
    put_source(connection, row_id, arn, SOURCE_TYPE)
    return row_id


def _trial_of(connection: sqlite3.Connection, call: Call, config: Params) -> int | None:
    """Return the trial of a job; a job that names only its experiment gets a new one, as the API documents."""
    experiment, trial = config.get("ExperimentName"), config.get("TrialName")
    if trial:
        found = require_trial(connection, trial, call.context.identity)
        if experiment and require_experiment(connection, experiment, call.context.identity).id != found.experiment_id:
            raise ValidationFault(f"Trial {trial!r} belongs to experiment {found.experiment_name!r}.")
        return found.id
    if not experiment:
        return None
    made = {"TrialName": call.params["TrainingJobName"] + _TRIAL_SUFFIX, "ExperimentName": experiment}
    trials.create_trial(Call(call.context, call.service, "CreateTrial", made))
    return require_trial(connection, made["TrialName"], call.context.identity).id


@serves("sagemaker", "CreateTrainingJob")
def create_training_job(call: Call) -> Response:
    """
    Run the script of a source archive, once for each host. The hosts are processes of this machine.

    The output of all hosts is packed into one archive. AWS asks the hosts to use different names; here, the file of the
    later host wins. The supported launcher is torchrun; all others raise UnsupportedOperationError.

    The component's ``SageMaker.ImageUri`` is the interpreter that runs the script: the container image never does.

    With ``ExperimentConfig.RunName``, the job's parameters, artifacts and metrics are added to the component of that
    run, which must exist and lists the job among its Sources. The job gets no component of its own, and the status and
    times of the run do not change.
    """
    context, name = call.context, call.params["TrainingJobName"]
    arn = context.identity.sagemaker_arn("training-job", name)
    checks.check_training_job(call.params)
    check_role(context.identity, call.params["RoleArn"])
    if context.quotas:
        recover_lost_jobs(context.store, context.now())  # jobs that have lost their process use no instances
    interpreter(context.python)  # may run it: before the store is locked
    launch = Launch(context.store, name, SupervisorSettings.of(context))
    try:
        with context.store.write() as connection:
            _check_name(connection, name)
            _check_quota(connection, call)
            checks.check_inputs(context.store, call.params)
            _insert(connection, call, arn)
            launch.prepare()
        launch.start()
    finally:
        launch.drop_lock()
    return {"TrainingJobArn": arn}


def _check_name(connection: sqlite3.Connection, name: str) -> None:
    job = state.read_job(connection, name)
    if job is not None:
        raise ResourceInUseFault(
            "Training job names must be unique within an AWS account and region, and a training job with this name "
            f"already exists ({job['arn']})"
        )


def _check_quota(connection: sqlite3.Connection, call: Call) -> None:
    if not call.context.quotas:
        return
    running = connection.execute("SELECT * FROM training_jobs WHERE status IN ('InProgress', 'Stopping')")
    used = sum((instances_of(state.request_of(job)) for job in running), Counter[str]())
    for kind, wanted in instances_of(call.params).items():
        most = call.context.quotas.get(kind)
        if most is not None and used[kind] + wanted > most:
            raise ResourceLimitFault(
                f"The account-level service limit '{kind} for training job usage' is {most} Instances, with current "
                f"utilization of {used[kind]} Instances and a request delta of {wanted} Instances. Please use AWS "
                "Service Quotas to request an increase for this quota."
            )


def _insert(connection: sqlite3.Connection, call: Call, arn: str) -> None:
    """Add the job's row, its component, the component's trial and its tags."""
    request, now = call.params, call.context.now()
    component_id = component_of(connection, call, arn, now)
    cursor = connection.execute(
        "INSERT INTO training_jobs (name, arn, request, python, component_id, status, secondary_status, created, "
        "modified) VALUES (?, ?, ?, ?, ?, 'InProgress', 'Starting', ?, ?)",
        (request["TrainingJobName"], arn, json.dumps(request), call.context.python, component_id, now, now),
    )
    put_tags(connection, arn, request.get("Tags"))
    state.enter_stage(connection, cursor.lastrowid or 0, "Starting", "Preparing the instances for training", now)


@serves("sagemaker", "DescribeTrainingJob")
def describe_training_job(call: Call) -> Response:
    name = call.params["TrainingJobName"]
    recover_lost_jobs(call.context.store, call.context.now(), name)
    with call.context.store.snapshot() as connection:
        job = _require(connection, name)
        request = state.request_of(job)
        only_here = {member: request[member] for member in _NOT_SEARCHED & request.keys()}
        (described,) = describe(connection, [job])
        return {**described, **only_here}


def _require(connection: sqlite3.Connection, name: str) -> sqlite3.Row:
    job = state.read_job(connection, name)
    if job is None:
        raise ValidationFault("Requested resource not found.")  # unlike most other services and resources
    return job


def describe(connection: sqlite3.Connection, jobs: Sequence[sqlite3.Row]) -> list[Response]:
    """Build the members that DescribeTrainingJob and Search return of each, with the same few statements."""
    stages = state.stages_of(connection, [job["id"] for job in jobs])
    metrics = summaries_of(connection, [job["component_id"] for job in jobs])
    return [_described(job, stages[job["id"]], metrics[job["component_id"]]) for job in jobs]


def _described(job: sqlite3.Row, stages: Iterable[Stage], metrics: Sequence[MetricSummary]) -> Response:
    request = state.request_of(job)
    hidden = _NOT_SEARCHED | _NEVER_RETURNED
    seconds = max(1, math.ceil((job["ended"] or job["modified"]) - job["started"])) if job["started"] else None
    return {
        **dict.fromkeys(_SWITCHES, False),
        **{name: value for name, value in request.items() if name not in hidden},
        "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP", **request["OutputDataConfig"]},
        **present(
            TrainingJobArn=job["arn"],
            TrainingJobStatus=job["status"],
            SecondaryStatus=job["secondary_status"],
            SecondaryStatusTransitions=[_stage(*stage) for stage in stages],
            FailureReason=job["failure_reason"],
            ModelArtifacts={"S3ModelArtifacts": state.model_uri(request)},
            FinalMetricDataList=[_final_metric(metric) for metric in metrics[:_MOST_FINAL_METRICS]] or None,
            CreationTime=as_datetime(job["created"]),
            TrainingStartTime=_moment(job["started"]),
            TrainingEndTime=_moment(job["ended"]),
            LastModifiedTime=as_datetime(job["modified"]),
            TrainingTimeInSeconds=seconds,
            BillableTimeInSeconds=seconds,
        ),
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else as_datetime(seconds)


def _stage(_: int, status: str, message: str, started: float, ended: float | None) -> Response:
    return present(Status=status, StatusMessage=message, StartTime=as_datetime(started), EndTime=_moment(ended))


def _final_metric(metric: MetricSummary) -> Response:
    return {
        "MetricName": metric.name,
        "Value": _as_float32(metric.last),
        "Timestamp": as_datetime(metric.timestamp),
    }


def _as_float32(value: float) -> float:
    """Return a value with the precision that the service returns final values with."""
    return ctypes.c_float(value).value


@serves("sagemaker", "StopTrainingJob")
def stop_training_job(call: Call) -> Response:
    """Stop a job. AWS does not document the error for an unknown one; here, it is that of DescribeTrainingJob."""
    name, now = call.params["TrainingJobName"], call.context.now()
    recover_lost_jobs(call.context.store, now, name)
    with call.context.store.write() as connection:
        job = _require(connection, name)
        if job["status"] in state.ENDED:
            raise ValidationFault(f"The request was rejected because the training job is in status {job['status']}.")
        if job["status"] == "InProgress":
            state.begin_stopping(connection, job["id"], now)
    signal_stop(call.context.store, job)
    return {}


@serves("sagemaker", "ListTrainingJobs")
def list_training_jobs(call: Call) -> Response:
    params = call.params
    if params.get("SortBy") == "Status":
        raise UnsupportedOperationError(
            "sagemaker", "ListTrainingJobs with SortBy=Status (supported: Name, CreationTime)"
        )
    if params.get("WarmPoolStatusEquals") or params.get("TrainingPlanArnEquals"):
        return {"TrainingJobSummaries": []}  # no job here has either
    recover_lost_jobs(call.context.store, call.context.now())
    given = {
        **params,
        "CreatedAfter": params.get("CreationTimeAfter"),
        "CreatedBefore": params.get("CreationTimeBefore"),
    }
    with call.context.store.read() as connection:
        found, token = listing(connection, "SELECT t.* FROM training_jobs t", _filters(params), given)
    return {"TrainingJobSummaries": [_summary(job) for job in found], **token}


def _filters(params: dict[str, Any]) -> dict[str, Any]:
    moments = {"t.modified >= ?": "LastModifiedTimeAfter", "t.modified <= ?": "LastModifiedTimeBefore"}
    return {
        "t.status = ?": params.get("StatusEquals"),
        "instr(t.name, ?) > 0": params.get("NameContains"),
        **{condition: as_seconds(params[name]) for condition, name in moments.items() if params.get(name) is not None},
    }


def _summary(job: sqlite3.Row) -> Response:
    return present(
        TrainingJobName=job["name"],
        TrainingJobArn=job["arn"],
        TrainingJobStatus=job["status"],
        SecondaryStatus=job["secondary_status"],
        CreationTime=as_datetime(job["created"]),
        TrainingEndTime=_moment(job["ended"]),
        LastModifiedTime=as_datetime(job["modified"]),
    )
