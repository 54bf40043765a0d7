"""What a training job's request must satisfy beyond the service model's patterns and limits."""

import re
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.errors import UnsupportedOperationError

_NEEDED = ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition")


def check(request: dict[str, Any]) -> None:
    """
    Check a request for a training job.

    Raises:
        ValidationFault: If the service would refuse it too.
        UnsupportedOperationError: If only the embedded SageMaker cannot run it.
    """
    for member in _NEEDED:
        if member not in request:
            raise ValidationFault(f"CreateTrainingJob needs {member}.")
    for definition in request["AlgorithmSpecification"].get("MetricDefinitions", []):
        _check_metric(definition)
    _check_channels(request)
    _check_uri("OutputDataConfig.S3OutputPath", request["OutputDataConfig"]["S3OutputPath"])
    if "CheckpointConfig" in request:
        _check_uri("CheckpointConfig.S3Uri", request["CheckpointConfig"]["S3Uri"])
    count = request["ResourceConfig"].get("InstanceCount", 1)
    if count > 1 or "InstanceGroups" in request["ResourceConfig"]:
        raise _unsupported(f"on {count} instances or in instance groups; it has one instance per job")


def _check_metric(definition: dict[str, str]) -> None:
    name, regex = definition["Name"], definition["Regex"]
    try:
        groups = re.compile(regex).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise ValidationFault(f"The regex of metric {name} does not compile: {error}: {regex}") from None
    if not groups:
        raise ValidationFault(f"The regex of metric {name} must have a capture group: {regex}")


def _check_channels(request: dict[str, Any]) -> None:
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    for name in names:
        if names.count(name) > 1 or name in (".", ".."):
            raise ValidationFault(f"The channel name {name!r} is given more than once, or is no name of a folder.")
    for channel in request.get("InputDataConfig", []):
        _check_channel(channel, request["AlgorithmSpecification"].get("TrainingInputMode", "File"))


def _check_channel(channel: dict[str, Any], default_mode: str) -> None:
    name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
    if source is None or source["S3DataType"] != "S3Prefix":
        raise _unsupported(f"whose channel {name!r} is no S3Prefix")
    if channel.get("InputMode", default_mode) == "Pipe":
        raise _unsupported(f"whose channel {name!r} has the input mode Pipe; it has File and FastFile")
    _check_uri(f"the channel {name!r}", source["S3Uri"])


def _check_uri(what: str, uri: str) -> None:
    if not re.match("s3://[^/]", uri):
        raise ValidationFault(f"{what} must be an S3 URI, such as s3://bucket/prefix: {uri}")


def _unsupported(what: str) -> UnsupportedOperationError:
    return UnsupportedOperationError("sagemaker", f"CreateTrainingJob for a job {what}")
