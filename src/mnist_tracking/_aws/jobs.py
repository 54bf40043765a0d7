"""Training jobs: started by the SDK's PyTorch estimator, described, waited for and stopped."""

import inspect
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import ADAPTER, JOB_COMPONENT, TRAINING, tags_to_aws
from mnist_tracking._aws.errors import (
    if_exists,
    is_already_ended,
    is_missing,
    is_taken,
    may_be_executed,
    translated,
)
from mnist_tracking._aws.experiments import jobs_of, read_component, require_trial
from mnist_tracking._aws.marks import mark
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._aws.staging import code_files, staged
from mnist_tracking._aws.tags import add_tags, from_tag, tags_of, to_tag
from mnist_tracking._aws.waiting import Polling
from mnist_tracking._values.arguments import ARGUMENTS, LAUNCHER, PROGRAM
from mnist_tracking._values.exact import exact_hyperparameters
from mnist_tracking._values.markers import STOP_REASON
from mnist_tracking._values.provenance import JOB_CODE, code_in, folder_of_code
from mnist_tracking._values.records import ParameterValue, Status
from mnist_tracking._values.specs import JobInput, JobSpec
from mnist_tracking._values.text import did_you_mean
from mnist_tracking._values.warning import warn
from mnist_tracking.errors import ConfigError, MnistTrackingError, ServiceError, StateError
from mnist_tracking.job import OUTPUT_URI, metric_regex

ENDED = frozenset({"Completed", "Failed", "Stopped"})
STOPPED = frozenset({"Stopping", "Stopped"})
TIME_LIMITS = frozenset({"MaxRuntimeExceeded", "MaxWaitTimeExceeded"})


def start_job(
    account: Account, estimator: Any, *, job_name: str, trial_name: str, inputs: Mapping[str, JobInput]
) -> bool:
    """
    Start the job of a trial, unless it has been started; does not wait.

    The name of the job must be used by nothing else. After an error it may be called again, with the same estimator:
    code is uploaded once.

    Returns:
        Whether this call has started it for sure. False if every response of SageMaker was lost, but the job exists: it
        may be that of another program.

    Raises:
        ConfigError: If the SDK rejects the inputs.
    """
    try:
        _fit(estimator, job_name, trial_name, inputs)
    except ServiceError as error:
        was_started = may_be_executed(error) and find_job(account, job_name) is not None
        if not is_taken(error) and not was_started:
            raise
        return False
    return True


def _fit(estimator: Any, job_name: str, trial_name: str, inputs: Mapping[str, JobInput]) -> None:
    with quiet(), translated(), sdk_errors_translated(), _code_staged(estimator):
        estimator.fit(
            inputs=dict(inputs) or None,
            job_name=job_name,
            wait=False,
            experiment_config={"TrialName": trial_name, "TrialComponentDisplayName": TRAINING},
        )
    if estimator.latest_training_job is None:  # the SDK's telemetry returns from a finally, which drops an interrupt
        raise KeyboardInterrupt


@contextmanager
def _code_staged(estimator: Any) -> Iterator[None]:
    """
    Let the SDK pack only what may be sent of the folders that were given, with a launcher if the job needs one.

    Code that the estimator has uploaded before is not packed again.
    """
    given = {name: getattr(estimator, name) for name in ("entry_point", "source_dir", "dependencies")}
    if estimator.uploaded_code is not None:
        estimator.source_dir = estimator.uploaded_code.s3_prefix
        estimator.entry_point = estimator.uploaded_code.script_name
        yield
        return
    with staged() as stage:
        if PROGRAM in estimator.hyperparameters():
            estimator.source_dir = stage.with_launcher(given["entry_point"], given["source_dir"])
            estimator.entry_point = LAUNCHER
        else:
            estimator.source_dir = given["source_dir"] and stage.view(given["source_dir"])
        estimator.dependencies = [stage.view(path) for path in given["dependencies"] or ()]
        try:
            yield
        finally:
            for name, value in given.items():
                setattr(estimator, name, value)


def tag_component(account: Account, job_name: str, tags: Mapping[str, str], arn: str = "") -> bool:
    """
    Tag the trial component that SageMaker creates for a job, so that searches by tag find it; return whether it did.

    SageMaker does not copy the job's tags, and may need some seconds to create the component: until then this does
    nothing. If adding tags is not allowed, it warns. Without its *arn*, the component is read.
    """
    try:
        add_tags(account, arn or read_component(account, job_name + JOB_COMPONENT).arn, tags)
    except ServiceError as error:
        if not is_missing(error):
            warn(f"The trial component of the job {job_name!r} has no tags: {error}")
        return False
    return True


def wait_for_job(account: Account, job_name: str) -> None:
    """Wait until a job ends."""
    for _ in Polling(account):
        if end_of(describe_job(account, job_name)):
            return


def job_status(account: Account, job_name: str) -> Status:
    """Return the status of a job."""
    status: Status = describe_job(account, job_name)["TrainingJobStatus"]
    return status


def end_of(job: Mapping[str, Any]) -> datetime | None:
    """
    Return when a job ended; None while it runs.

    Args:
        job: The response of DescribeTrainingJob.
    """
    ended: datetime = job.get("TrainingEndTime", job["LastModifiedTime"])  # a job that never trained has the latter
    return ended if job["TrainingJobStatus"] in ENDED else None


def time_limit(job: Mapping[str, Any]) -> str:
    """
    Return which time limit ended a job, such as ``"MaxRuntimeExceeded"``; empty if none did.

    Args:
        job: The response of DescribeTrainingJob.
    """
    reason = str(job.get("SecondaryStatus", ""))
    return reason if reason in TIME_LIMITS else ""


def describe_job(account: Account, job_name: str) -> Mapping[str, Any]:
    """Return the response of DescribeTrainingJob."""
    with translated():
        job: Mapping[str, Any] = account.client("sagemaker").describe_training_job(TrainingJobName=job_name)
    return job


def find_job(account: Account, job_name: str) -> Mapping[str, Any] | None:
    """Return the response of DescribeTrainingJob; None if the job does not exist."""
    return if_exists(lambda: describe_job(account, job_name))


def stop_job(account: Account, job_name: str, reason: str = "") -> bool:
    """
    Stop a job, without waiting for its end, and return whether it exists; one that has ended stays as it is.

    A *reason* is recorded first, on the job's component, or on the job as long as it has none; see `stop_reason`.
    """
    job = find_job(account, job_name)
    if job is None:
        return False
    if job["TrainingJobStatus"] != "InProgress":
        return True
    if reason:
        _record_reason(account, job, reason)
    try:
        with translated():
            account.client("sagemaker").stop_training_job(TrainingJobName=job_name)
    except ServiceError as error:
        if not is_missing(error) and not is_already_ended(error):
            raise
        return not is_missing(error)
    return True


def _record_reason(account: Account, job: Mapping[str, Any], reason: str) -> None:
    """Record why a job is stopped where any program finds it; warn if that is not possible."""
    name = job["TrainingJobName"]
    try:
        try:
            mark(account, name + JOB_COMPONENT, {STOP_REASON: reason})
        except ServiceError:  # above all, SageMaker creates the component later
            add_tags(account, job["TrainingJobArn"], {STOP_REASON: to_tag(reason)})
    except ServiceError as error:
        account.warn_once("stop-reason", f"The reason for stopping the job {name!r} cannot be recorded: {error}")


def stop_reason(account: Account, job: Mapping[str, Any], recorded: str) -> str:
    """
    Return why a job was stopped; empty if it was not, or nobody has recorded it.

    Args:
        account: Where the job is.
        job: The response of DescribeTrainingJob.
        recorded: What its component shows; if that is empty, and no time limit ended the job, its tags are read.
    """
    if job["TrainingJobStatus"] not in STOPPED:
        return ""
    return recorded or time_limit(job) or from_tag(tags_of(account, job["TrainingJobArn"]).get(STOP_REASON, ""))


_FIELDS = (
    "dependencies",
    "entry_point",
    "environment",
    "framework_version",
    "hyperparameters",
    "image_uri",
    "instance_count",
    "instance_type",
    "py_version",
    "source_dir",
)
_SET_BY = {  # keywords that this library sets itself: where their values come from
    **{name: f"JobSpec({name}=...)" for name in _FIELDS},
    "base_job_name": "ExperimentRunner(name)",
    "max_run": "JobSpec(max_run_s=...)",
    "metric_definitions": "JobSpec(metrics=...)",
    **dict.fromkeys(("output_path", "code_location"), "Workspace.aws(bucket=..., prefix=...)"),
    **dict.fromkeys(("output_kms_key", "volume_kms_key"), "Workspace.aws(kms_key=...)"),
    "enable_network_isolation": "Workspace.aws(network_isolation=...)",
    "encrypt_inter_container_traffic": "Workspace.aws(encrypt_traffic=...)",
    "role": "Workspace.aws(role=...)",
    "sagemaker_session": "Workspace.aws(boto_session=...)",
    **dict.fromkeys(("subnets", "security_group_ids"), "Workspace.aws(subnets=..., security_group_ids=...)"),
    "tags": "ExperimentRunner(tags=...) or Workspace.aws(tags=...)",
}
_LOCAL_STORAGE = ("ml.g7", "ml.p6", "ml.trn2")  # newer than the SDK's own list
CHECKPOINTS = "checkpoint_s3_uri"
"""The keyword of the SDK's estimator for the location of checkpoints."""

_SDK_ERRORS = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError)


def make_estimator(  # noqa: PLR0913 - what one job needs
    account: Account,
    spec: JobSpec,
    *,
    job_name: str,
    hyperparameters: Mapping[str, ParameterValue],
    prefix: str,
    tags: Mapping[str, str],
    reserved: Mapping[str, ParameterValue],
    checkpoint_uri: str | None = None,
    is_first: bool = True,
) -> Any:
    """
    Create the estimator of a trial; sends nothing. Its code and its model go below *prefix*, ``s3://...``.

    Unless it is the first for this job, its code goes to a folder of its own: another program may be uploading.

    Raises:
        ConfigError: If the SDK rejects the job, such as for an unknown keyword, or a version without a container.
    """
    with quiet(), translated(), sdk_errors_translated():
        from sagemaker.pytorch import PyTorch

        _check_keywords(spec, _keywords_of(PyTorch))
        estimator = PyTorch(
            **_job_settings(account, spec, f"{prefix}/jobs/{job_name}/output"),
            **_account_settings(account, spec),
            **_unless_configured(account, spec),
            **{**spec.estimator, **({} if checkpoint_uri is None else {CHECKPOINTS: checkpoint_uri})},
            hyperparameters={
                **hyperparameters,
                **exact_hyperparameters(hyperparameters),
                **_call(spec),
                **reserved,
                JOB_CODE: code_of(spec),
            },
            output_path=f"{prefix}/jobs",
            code_location=f"{prefix}/jobs" if is_first else f"{prefix}/jobs/{job_name}/{secrets.token_hex(4)}",
            tags=tags_to_aws({**tags, **({ADAPTER: spec.adapter} if spec.adapter else {})}),
        )
        image = estimator.training_image_uri()  # fails now rather than when the trial exists
        if "distribution" not in spec.estimator:  # the SDK treats given images differently there
            estimator.image_uri = image  # finding it again would take 50 ms
    return estimator


def checkpoints_of(account: Account, trial: str) -> str:
    """
    Return the location of a trial's checkpoints.

    Raises:
        NotFoundError: If the trial does not exist.
        StateError: If it has no training job, or the job writes no checkpoints.
    """
    require_trial(account, trial)
    for job_name in reversed(jobs_of(account, trial)):
        if config := describe_job(account, job_name).get("CheckpointConfig"):
            return str(config["S3Uri"])
    raise StateError("trial", trial, "no-checkpoints", f"has no checkpoints: its job has no {CHECKPOINTS!r}")


def code_of(spec: JobSpec) -> dict[str, Any]:
    """Return the provenance of a job's code, as it is recorded."""
    return code_in(folder_of_code(spec.entry_point, spec.source_dir))


def _call(spec: JobSpec) -> dict[str, Any]:
    """Return the hyperparameters that the launcher reads: how the script is called in the folder of its code."""
    in_code = spec.entry_point if spec.source_dir else Path(spec.entry_point).name
    return {} if spec.arguments is None else {PROGRAM: in_code, ARGUMENTS: list(spec.arguments)}


@contextmanager
def sdk_errors_translated() -> Iterator[None]:
    """Turn the SDK's own errors raised inside the block into a ConfigError."""
    try:
        yield
    except (MnistTrackingError, BotoCoreError):  # a broken connection is an OSError, too
        raise
    except _SDK_ERRORS as error:
        raise ConfigError(f"The SageMaker SDK rejects the job: {error}") from error


def volume_key(account: Account, *instance_types: str) -> str | None:
    """
    Return the key for the volumes of instances; None if one of the types has local storage.

    AWS encrypts local storage in hardware, and rejects a key for it:
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html
    """
    if account.settings.kms_key is None:
        return None
    from sagemaker.utils import instance_supports_kms

    has_volumes = (instance_supports_kms(one) and not one.startswith(_LOCAL_STORAGE) for one in instance_types)
    return account.settings.kms_key if all(has_volumes) else None


def _keywords_of(kind: type) -> set[str]:
    """Return the keyword arguments of a class and its bases; each passes unknown ones on to its base."""
    signatures = (inspect.signature(base).parameters for base in kind.__mro__)
    return {
        name
        for parameters in signatures
        for name, parameter in parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }


def _check_keywords(spec: JobSpec, known: set[str]) -> None:
    for name in spec.estimator:
        if name in _SET_BY:
            raise ConfigError(f"JobSpec(estimator={{{name!r}: ...}}) is not allowed; use {_SET_BY[name]}.")
        if name not in known:
            hint = did_you_mean(str(name), known - _SET_BY.keys())
            raise ConfigError(
                f"JobSpec(estimator=...) has {name!r}, which is not an argument of the SDK's PyTorch.{hint}"
            )
    wait = spec.estimator.get("max_wait") or 0
    if spec.estimator.get("use_spot_instances") and wait < spec.max_run_s:
        raise ConfigError(
            f"Spot instances need estimator={{'max_wait': ...}} of at least max_run_s ({spec.max_run_s})."
        )


def _job_settings(account: Account, spec: JobSpec, output_uri: str) -> dict[str, Any]:
    dependencies = dependencies_of(spec)
    environment = environment_of(spec, dependencies, output_uri)
    if not spec.environment:  # variables of this library must not hide configured ones
        environment = {**(account.configured("TRAINING_JOB_ENVIRONMENT_PATH") or {}), **environment}
    groups = spec.estimator.get("instance_groups")
    return {
        "entry_point": spec.entry_point,
        "source_dir": spec.source_dir,
        "dependencies": dependencies,
        "environment": environment or None,
        "framework_version": spec.framework_version,
        "py_version": spec.py_version,
        "image_uri": spec.image_uri,
        "metric_definitions": [{"Name": m.name, "Regex": m.regex} for m in spec.metrics] or None,
        "max_run": spec.max_run_s,
        **({} if groups else {"instance_type": spec.instance_type, "instance_count": spec.instance_count}),
    }


def _account_settings(account: Account, spec: JobSpec) -> dict[str, Any]:
    """Return the account's settings for a job; None leaves a setting to the SDK's config files."""
    settings, groups = account.settings, spec.estimator.get("instance_groups") or ()
    types = [group.instance_type for group in groups] or [spec.instance_type]
    return {
        "role": account.role,
        "sagemaker_session": account.sagemaker_session,
        "output_kms_key": settings.kms_key,
        "volume_kms_key": volume_key(account, *types),
        "subnets": list(settings.subnets) if settings.subnets else None,
        "security_group_ids": list(settings.security_group_ids) if settings.security_group_ids else None,
        "enable_network_isolation": settings.network_isolation,
        "encrypt_inter_container_traffic": settings.encrypt_traffic,
    }


def _unless_configured(account: Account, spec: JobSpec) -> dict[str, bool]:
    """Switch off what costs time and money in every job, unless the job or a config file sets it."""
    ours = {
        "debugger_hook_config": (False, "ESTIMATOR_DEBUG_HOOK_CONFIG_PATH"),
        "disable_profiler": (True, "TRAINING_JOB_DISABLE_PROFILER_PATH"),
    }
    return {
        name: value
        for name, (value, path) in ours.items()
        if name not in spec.estimator and account.configured(path) is None
    }


_PACKAGE = Path(__file__).resolve().parents[1]
_IMPORTS = re.compile(
    rf"^\s*(?:(?:from|import)\s+{_PACKAGE.name}\.job\b|from\s+{_PACKAGE.name}\s+import\b.*\bjob\b)", re.MULTILINE
)


def dependencies_of(spec: JobSpec) -> list[str]:
    """
    Return the folders and files that are sent with a job's code.

    They include this package if a metric is given by its name alone, or if one of the scripts imports
    `mnist_tracking.job`, unless the job's own code includes it.
    """
    given = list(spec.dependencies)
    return given if _includes_package(spec) or not _needs_package(spec) else [*given, str(_PACKAGE)]


def environment_of(spec: JobSpec, dependencies: list[str], output_uri: str) -> dict[str, str]:
    """Return a job's environment variables; those of a job with this package include the location of its output."""
    own = {OUTPUT_URI: f"{output_uri}/output.tar.gz"} if _has_package(dependencies) else {}
    return {**own, **spec.environment}


def _includes_package(spec: JobSpec) -> bool:
    return _has_package(spec.dependencies) or bool(spec.source_dir and Path(spec.source_dir, _PACKAGE.name).is_dir())


def _has_package(paths: list[str] | tuple[str, ...]) -> bool:
    return any(Path(path).name == _PACKAGE.name for path in paths)


def _needs_package(spec: JobSpec) -> bool:
    has_names = any(metric.regex == metric_regex(metric.name) for metric in spec.metrics)
    return has_names or any(_IMPORTS.search(path.read_text("utf-8", errors="replace")) for path in _scripts(spec))


def _scripts(spec: JobSpec) -> Iterator[Path]:
    paths = code_files(spec.source_dir) if spec.source_dir else (Path(spec.entry_point),)
    return (path for path in paths if path.suffix == ".py" and path.is_file())  # the SDK rejects one that is gone
