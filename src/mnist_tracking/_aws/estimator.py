"""The SDK's PyTorch estimator of a job: what the job says, what the workspace says, and what is passed on as it is."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mnist_tracking._aws.account import configured
from mnist_tracking._aws.convert import ADAPTER
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.experiments import aws_tags
from mnist_tracking._aws.packing import dependencies_of, environment_of
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.records import Scalar
from mnist_tracking._values.specs import JobSpec
from mnist_tracking.errors import ConfigError, MnistTrackingError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

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
    workspace: "Workspace",
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
            **_said_by_job(workspace, spec, f"{prefix}/jobs/{job_name}/output"),
            **_said_by_workspace(workspace, spec),
            **_unless_configured(workspace, spec),
            **spec.estimator,
            hyperparameters=dict(hyperparameters),
            output_path=f"{prefix}/jobs",
            code_location=f"{prefix}/jobs",
            tags=aws_tags({**tags, **({ADAPTER: spec.adapter} if spec.adapter else {})}),
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


def volume_key(workspace: "Workspace", *instance_types: str) -> str | None:
    """
    Return the key for the volumes of instances; None where one has storage of its own.

    AWS encrypts that by hardware, and refuses a key for it:
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html
    """
    if workspace.settings.kms_key is None:
        return None
    from sagemaker.utils import instance_supports_kms

    has_volumes = (instance_supports_kms(one) and not one.startswith(_LOCAL_STORAGE) for one in instance_types)
    return workspace.settings.kms_key if all(has_volumes) else None


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


def _said_by_job(workspace: "Workspace", spec: JobSpec, output_uri: str) -> dict[str, Any]:
    dependencies = dependencies_of(spec)
    environment = environment_of(spec, dependencies, output_uri)
    if not spec.environment:  # what we add by ourselves must not hide what is configured
        environment = {**(configured(workspace, "TRAINING_JOB_ENVIRONMENT_PATH") or {}), **environment}
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


def _said_by_workspace(workspace: "Workspace", spec: JobSpec) -> dict[str, Any]:
    """Return the settings; None leaves one to the SDK's config files."""
    settings, groups = workspace.settings, spec.estimator.get("instance_groups") or ()
    types = [group.instance_type for group in groups] or [spec.instance_type]
    return {
        "role": workspace.role,
        "sagemaker_session": workspace.sagemaker_session,
        "output_kms_key": settings.kms_key,
        "volume_kms_key": volume_key(workspace, *types),
        "subnets": list(settings.subnets) if settings.subnets else None,
        "security_group_ids": list(settings.security_group_ids) if settings.security_group_ids else None,
        "enable_network_isolation": settings.network_isolation,
        "encrypt_inter_container_traffic": settings.encrypt_traffic,
    }


def _unless_configured(workspace: "Workspace", spec: JobSpec) -> dict[str, bool]:
    """Switch off what costs time and money in every job, unless the job or a config file says otherwise."""
    ours = {
        "debugger_hook_config": (False, "ESTIMATOR_DEBUG_HOOK_CONFIG_PATH"),
        "disable_profiler": (True, "TRAINING_JOB_DISABLE_PROFILER_PATH"),
    }
    return {
        name: value
        for name, (value, path) in ours.items()
        if name not in spec.estimator and configured(workspace, path) is None
    }
