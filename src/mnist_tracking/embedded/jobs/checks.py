"""Rules for a training job's request beyond the patterns and limits of the service model."""

import re
from pathlib import PurePosixPath
from typing import Any

from mnist_tracking._values.metric_lines import compile_regex
from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.jobs.container import OPT_ML, decode_hyperparameters, local_path
from mnist_tracking.embedded.jobs.distribution import TORCHRUN, launcher_of
from mnist_tracking.embedded.jobs.hosts import hosts_of
from mnist_tracking.embedded.jobs.state import DEFAULT_RUNTIME_S
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import list_objects, split_uri
from mnist_tracking.errors import UnsupportedOperationError

_REQUIRED = ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition")
_MOST_HOSTS = 64


def check_training_job(request: dict[str, Any]) -> None:
    """
    Check a request for a training job.

    Raises:
        ValidationFault: If the service would reject it, too.
        UnsupportedOperationError: If only the embedded SageMaker cannot run it.
    """
    for member in _REQUIRED:
        if member not in request:
            raise ValidationFault(f"CreateTrainingJob requires {member}.")
    _check_container(request["AlgorithmSpecification"])
    _check_spot(request)
    for definition in request["AlgorithmSpecification"].get("MetricDefinitions", []):
        _check_metric(definition)
    _check_resources(request["ResourceConfig"])
    _check_launcher(request)
    _check_channels(request)
    _check_uri("OutputDataConfig.S3OutputPath", request["OutputDataConfig"]["S3OutputPath"])
    if "CheckpointConfig" in request:
        _check_uri("CheckpointConfig.S3Uri", request["CheckpointConfig"]["S3Uri"])
        _check_local_path(local_path(request))


def _check_container(algorithm: dict[str, Any]) -> None:
    for member in ("ContainerEntrypoint", "ContainerArguments"):
        if member in algorithm:
            raise _unsupported(f"with {member} (supported: the script that sagemaker_program names)")


def _check_spot(request: dict[str, Any]) -> None:
    condition = request["StoppingCondition"]
    wait_s, run_s = condition.get("MaxWaitTimeInSeconds"), condition.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_S)
    if request.get("EnableManagedSpotTraining") and (wait_s is None or wait_s < run_s):
        raise ValidationFault(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )


def check_inputs(store: Store, request: dict[str, Any]) -> None:
    """
    Check that each channel has an object.

    Raises:
        ValidationFault: If one has none.
    """
    for channel in request.get("InputDataConfig", []):
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, prefix = split_uri(uri)
        if not list_objects(store, bucket, prefix, limit=1):
            raise ValidationFault(
                f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
                "exists in the selected region, that objects exist under that S3 prefix, and that the role "
                f'"{request["RoleArn"]}" has "s3:ListBucket" permissions on bucket "{bucket}".'
            )


def _check_resources(resources: dict[str, Any]) -> None:
    groups = resources.get("InstanceGroups")
    if groups and {"InstanceCount", "InstanceType"} & resources.keys():
        raise ValidationFault("ResourceConfig has InstanceGroups, or InstanceType and InstanceCount, but not both.")
    if resources.get("InstancePreferences"):
        raise _unsupported("with InstancePreferences (supported: InstanceType)")
    names = [group.get("InstanceGroupName") for group in groups or ()]
    if len(set(names)) < len(names) or None in names:
        raise ValidationFault(f"Each of InstanceGroups requires a unique InstanceGroupName; given: {names}.")
    for group in groups or [resources]:
        if group.get("InstanceCount", 1) < 1:
            raise ValidationFault(f"InstanceCount must be 1 or more: {group['InstanceCount']}.")
    if (count := sum(group.get("InstanceCount", 1) for group in groups or [resources])) > _MOST_HOSTS:
        raise _unsupported(
            f"on {count} instances; they are processes of this machine, and {_MOST_HOSTS} is the maximum"
        )


def _check_launcher(request: dict[str, Any]) -> None:
    hyperparameters = decode_hyperparameters(request.get("HyperParameters", {}))
    launcher, program = launcher_of(hyperparameters), str(hyperparameters.get("sagemaker_program", ""))
    if launcher not in (None, TORCHRUN):
        raise _unsupported(f"with the distribution {launcher} (supported: {TORCHRUN}, or none)")
    if launcher == TORCHRUN and not program.endswith(".py"):
        raise ValidationFault(f"Unsupported entry point type for {TORCHRUN}: {program!r}; it runs Python scripts.")
    names = {group.get("InstanceGroupName") for group in request["ResourceConfig"].get("InstanceGroups", ())}
    wanted = hyperparameters.get("sagemaker_distribution_instance_groups") or []
    if names and not set(wanted) <= names:
        raise ValidationFault(f"The distribution is for instance groups {wanted}; the job has {sorted(names)}.")


def _check_metric(definition: dict[str, str]) -> None:
    name, regex = definition["Name"], definition["Regex"]
    try:
        groups = compile_regex(regex).groups
    except ValueError as error:
        raise ValidationFault(f"The regex of metric {name} does not compile: {error}: {regex}") from None
    if not groups:
        raise ValidationFault(f"The regex of metric {name} must have a capture group: {regex}")


def _check_channels(request: dict[str, Any]) -> None:
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    for name in names:
        if names.count(name) > 1 or name in (".", ".."):
            raise ValidationFault(f"The channel name {name!r} is used more than once, or is not a valid folder name.")
    groups = {host.group for host in hosts_of(request)}
    for channel in request.get("InputDataConfig", []):
        _check_channel(channel, request["AlgorithmSpecification"].get("TrainingInputMode", "File"), groups)


def _check_channel(channel: dict[str, Any], default_mode: str, groups: set[str]) -> None:
    name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
    if source is None or source["S3DataType"] != "S3Prefix":
        raise _unsupported(f"whose channel {name!r} is not an S3Prefix")
    if channel.get("InputMode", default_mode) == "Pipe":
        raise _unsupported(f"whose channel {name!r} has the input mode Pipe (supported: File, FastFile)")
    _check_uri(f"the channel {name!r}", source["S3Uri"])
    wanted = set(source.get("InstanceGroupNames", ()))
    if not wanted <= groups:
        raise ValidationFault(
            f"The channel {name!r} is for instance groups {sorted(wanted)}; the job has {sorted(groups)}."
        )


def _check_local_path(path: PurePosixPath) -> None:
    if OPT_ML not in path.parents or ".." in path.parts:
        raise _unsupported(f"whose checkpoints are in {str(path)!r} (supported: folders below {OPT_ML})")


def _check_uri(what: str, uri: str) -> None:
    if not re.match("s3://[^/]", uri):
        raise ValidationFault(f"{what} must be an S3 URI, such as s3://bucket/prefix: {uri}")


def _unsupported(what: str) -> UnsupportedOperationError:
    return UnsupportedOperationError("sagemaker", f"CreateTrainingJob for a job {what}")
