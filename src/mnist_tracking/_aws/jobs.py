"""Start a training job by its estimator, and follow it."""

import difflib
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import ADAPTER, TRAINING, tags_to_aws
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking._aws.experiments import add_tags, read_component
from mnist_tracking._aws.logs import JobLog
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._aws.search import iter_components
from mnist_tracking._aws.waiting import polls, until
from mnist_tracking._values.records import Component, Scalar, Status
from mnist_tracking._values.specs import JobInput, JobSpec
from mnist_tracking.errors import ConfigError, JobTimeoutError, MnistTrackingError, ServiceError
from mnist_tracking.job import OUTPUT_URI, metric_regex

ENDED = frozenset({"Completed", "Failed", "Stopped"})
_NOT_VISIBLE = (
    "The job itself has ended; Search, which is eventually consistent, does not show its trial component yet. "
    "Ask again later."
)


def start_job(estimator: Any, *, job_name: str, trial_name: str, inputs: Mapping[str, JobInput]) -> None:
    """
    Start the job of one trial by its estimator; does not wait.

    Raises:
        ConfigError: If the SDK refuses the inputs.
    """
    with quiet(), translated(), refusals():
        estimator.fit(
            inputs=dict(inputs) or None,
            job_name=job_name,
            wait=False,
            experiment_config={"TrialName": trial_name, "TrialComponentDisplayName": TRAINING},
        )
    if estimator.latest_training_job is None:  # the SDK's telemetry returns from a finally, which drops an interrupt
        raise KeyboardInterrupt


def tag_component(account: Account, job_name: str, tags: Mapping[str, str]) -> None:
    """
    Tag the trial component that SageMaker makes of a job, without the job's tags, so that it is found by them.

    SageMaker may need some seconds to make it: then nothing is done yet. Where tags may not be added, a warning says
    so; the job goes on all the same.
    """
    try:
        add_tags(account, read_component(account, f"{job_name}-aws-training-job").arn, tags)
    except ServiceError as error:
        if not is_missing(error):
            warnings.warn(f"The trial component of the job {job_name!r} has no tags: {error}", stacklevel=2)


def wait_for_job(
    account: Account,
    job_name: str,
    *,
    on_line: Callable[[str], None] | None = None,
    on_status: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
) -> None:
    """
    Wait until a job ends.

    Args:
        account: Where it runs.
        job_name: The job.
        on_line: Called with each line of its log as it is logged.
        on_status: Called with its secondary status, such as ``"Downloading"``, whenever that changes.
        timeout_s: Give up waiting after this many seconds.

    Raises:
        JobTimeoutError: If it takes longer than *timeout_s*.
    """
    logs, shown = JobLog(account, job_name), ""
    for _ in polls(account, timeout_s=timeout_s):
        described = _describe(account, job_name)
        status, secondary = described["TrainingJobStatus"], described.get("SecondaryStatus", "")
        if on_status is not None and secondary != shown:
            on_status(secondary)
        shown = secondary
        if on_line is not None:
            for _, line in logs.new_lines():
                on_line(line)
        if status in ENDED:
            return
    raise JobTimeoutError(job_name, timeout_s or 0.0)


def job_status(account: Account, job_name: str) -> Status:
    """Return how a job stands."""
    status: Status = _describe(account, job_name)["TrainingJobStatus"]
    return status


def failure_reason(account: Account, job_name: str) -> str:
    """Return why a job failed, as SageMaker says it; empty if it did not."""
    return str(_describe(account, job_name).get("FailureReason", ""))


def job_channels(account: Account, job_name: str) -> list[str]:
    """Return the names of a job's input channels."""
    return [channel["ChannelName"] for channel in _describe(account, job_name).get("InputDataConfig", [])]


def _describe(account: Account, job_name: str) -> dict[str, Any]:
    with translated():
        described: dict[str, Any] = account.client("sagemaker").describe_training_job(TrainingJobName=job_name)
    return described


def stop_job(account: Account, job_name: str) -> None:
    """Ask a job to stop; one that has ended, or was never started, is fine."""
    try:
        if job_status(account, job_name) == "InProgress":
            with translated():
                account.client("sagemaker").stop_training_job(TrainingJobName=job_name)
    except ServiceError as error:
        if not is_missing(error) and "job is in status" not in error.detail:
            raise


def wait_for_component(account: Account, trial: str, job_name: str) -> Component:
    """
    Wait until Search shows the component of a job that has ended (Search is eventually consistent).

    Raises:
        JobTimeoutError: If it does not within a minute.
    """

    def look() -> Component | None:
        shown = iter_components(account.client("sagemaker"), Parents_TrialName=trial)
        return next((found for found in shown if found.job_name == job_name and found.status in ENDED), None)

    within_s = account.timing.visible_within_s
    return until(account, look, timeout_s=within_s, timeout=lambda: JobTimeoutError(job_name, within_s, _NOT_VISIBLE))


_OF_THE_JOB = (
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
_SET_BY = {  # keywords that this library sets itself, and what says their value
    **{name: f"JobSpec({name}=...)" for name in _OF_THE_JOB},
    "base_job_name": "ExperimentRunner(name), which its jobs are named after",
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
_REFUSALS = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError)


def make_estimator(
    account: Account,
    spec: JobSpec,
    *,
    job_name: str,
    hyperparameters: Mapping[str, Scalar],
    prefix: str,
    tags: Mapping[str, str],
) -> Any:
    """
    Make the estimator of one trial; nothing is sent. *prefix* is where its code and its model go, ``s3://...``.

    Raises:
        ConfigError: If the SDK refuses the job, such as for a version that no container has, or a keyword that it does
            not know.
    """
    with quiet(), translated(), refusals():
        from sagemaker.pytorch import PyTorch

        _check_keywords(spec, _keywords_of(PyTorch))
        estimator = PyTorch(
            **_said_by_job(account, spec, f"{prefix}/jobs/{job_name}/output"),
            **_said_by_workspace(account, spec),
            **_unless_configured(account, spec),
            **spec.estimator,
            hyperparameters=dict(hyperparameters),
            output_path=f"{prefix}/jobs",
            code_location=f"{prefix}/jobs",
            tags=tags_to_aws({**tags, **({ADAPTER: spec.adapter} if spec.adapter else {})}),
        )
        image = estimator.training_image_uri()  # refused now, not when the trial exists
        if "distribution" not in spec.estimator:  # for which the SDK has rules about images that were given
            estimator.image_uri = image  # it takes 50 ms to find it again
    return estimator


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the SDK raises of itself inside the block into a ConfigError."""
    try:
        yield
    except MnistTrackingError:
        raise
    except _REFUSALS as error:
        raise ConfigError(f"The SageMaker SDK refuses the job: {error}") from error


def volume_key(account: Account, *instance_types: str) -> str | None:
    """
    Return the key for the volumes of instances; None where one has storage of its own.

    AWS encrypts that by hardware, and refuses a key for it:
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html
    """
    if account.settings.kms_key is None:
        return None
    from sagemaker.utils import instance_supports_kms

    has_volumes = (instance_supports_kms(one) and not one.startswith(_LOCAL_STORAGE) for one in instance_types)
    return account.settings.kms_key if all(has_volumes) else None


def _keywords_of(kind: type) -> set[str]:
    """Return what a class and its bases may be constructed with; each passes on what it does not know."""
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
            raise ConfigError(f"JobSpec(estimator={{{name!r}: ...}}) is refused: say it by {_SET_BY[name]}.")
        if name not in known:
            near = difflib.get_close_matches(str(name), known - _SET_BY.keys(), n=3)
            hint = f" Nearest: {', '.join(map(repr, near))}." if near else ""
            raise ConfigError(f"JobSpec(estimator=...) has {name!r}, which the SDK's PyTorch does not take.{hint}")
    wait = spec.estimator.get("max_wait") or 0
    if spec.estimator.get("use_spot_instances") and wait < spec.max_run_s:
        raise ConfigError(
            f"Spot instances need estimator={{'max_wait': ...}} of at least max_run_s, which is {spec.max_run_s}."
        )


def _said_by_job(account: Account, spec: JobSpec, output_uri: str) -> dict[str, Any]:
    dependencies = dependencies_of(spec)
    environment = environment_of(spec, dependencies, output_uri)
    if not spec.environment:  # what we add by ourselves must not hide what is configured
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


def _said_by_workspace(account: Account, spec: JobSpec) -> dict[str, Any]:
    """Return the settings; None leaves one to the SDK's config files."""
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
    """Switch off what costs time and money in every job, unless the job or a config file says otherwise."""
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
    Return the folders and files that are sent along with a job's code.

    This package is one of them if a metric is given by its name alone, or if a script that is sent imports
    `mnist_tracking.job`, unless the job's own code brings it.
    """
    given = list(spec.dependencies)
    return given if _brings_package(spec) or not _needs_package(spec) else [*given, str(_PACKAGE)]


def environment_of(spec: JobSpec, dependencies: list[str], output_uri: str) -> dict[str, str]:
    """Return a job's environment variables; a script that has this package is told where its output goes."""
    told = {OUTPUT_URI: f"{output_uri}/output.tar.gz"} if _has_package(dependencies) else {}
    return {**told, **spec.environment}


def _brings_package(spec: JobSpec) -> bool:
    return _has_package(spec.dependencies) or bool(spec.source_dir and Path(spec.source_dir, _PACKAGE.name).is_dir())


def _has_package(paths: list[str] | tuple[str, ...]) -> bool:
    return any(Path(path).name == _PACKAGE.name for path in paths)


def _needs_package(spec: JobSpec) -> bool:
    has_names = any(metric.regex == metric_regex(metric.name) for metric in spec.metrics)
    return has_names or any(_IMPORTS.search(path.read_text("utf-8", errors="replace")) for path in _scripts(spec))


def _scripts(spec: JobSpec) -> Iterator[Path]:
    paths = Path(spec.source_dir).rglob("*.py") if spec.source_dir else (Path(spec.entry_point),)
    return (path for path in paths if path.is_file())  # one that has gone is refused by the SDK
