"""Responses to records: the only place that reads SageMaker's dictionaries."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from mnist_tracking._values.records import Artifact, Component, ExperimentSummary, Metric, Scalar

TRAINING = "Training"
RUN_TAG = "sagemaker:trial-component-source"
CREATED_BY = "mnist-tracking:created-by"
EXPERIMENT_TAG = "mnist-tracking:experiment"
ADAPTER = "mnist-tracking:adapter"
TRIAL_TAG = "mnist-tracking:trial"
OBJECTIVE_TAG = "mnist-tracking:objective"
_CHANNELS = "/opt/ml/input/data/"
_OWN_PREFIXES = ("sagemaker_", "SageMaker.")


def decode_parameter(value: Mapping[str, Any]) -> Scalar:
    """
    Decode one parameter to what was put in.

    The SDK JSON-quotes the hyperparameters of jobs and the service turns numbers into floats.

    Example:
        >>> decode_parameter({"StringValue": '"sgd"'}), decode_parameter({"NumberValue": 2.0})
        ('sgd', 2)
    """
    if "NumberValue" in value:
        number = float(value["NumberValue"])
        return int(number) if math.isfinite(number) and number == int(number) else number
    text = str(value.get("StringValue", ""))
    if text in ("true", "false", "null") or (len(text) > 1 and text[0] == text[-1] == '"'):
        try:
            decoded: Scalar = json.loads(text)
        except ValueError:
            return text
        return decoded
    return text


def component_from_aws(response: Mapping[str, Any]) -> Component:
    """Read a trial component as Search gives it."""
    status = response.get("Status", {})
    return Component(
        name=response["TrialComponentName"],
        arn=response["TrialComponentArn"],
        display_name=response.get("DisplayName", response["TrialComponentName"]),
        status=status.get("PrimaryStatus"),
        message=status.get("Message", ""),
        source_arn=response.get("Source", {}).get("SourceArn"),
        created=response["CreationTime"],
        started=response.get("StartTime"),
        ended=response.get("EndTime"),
        parameters={name: decode_parameter(value) for name, value in response.get("Parameters", {}).items()},
        inputs=_artifacts(response.get("InputArtifacts", {})),
        outputs=_artifacts(response.get("OutputArtifacts", {})),
        metrics={m["MetricName"]: _metric(m) for m in response.get("Metrics", [])},
        parents=tuple((p["TrialName"], p["ExperimentName"]) for p in response.get("Parents", []) if "TrialName" in p),
        tags=tags_from_aws(response.get("Tags", [])),
    )


def experiment_from_aws(response: Mapping[str, Any]) -> ExperimentSummary:
    """Read an experiment as Search gives it."""
    return ExperimentSummary(
        name=response["ExperimentName"],
        arn=response["ExperimentArn"],
        description=response.get("Description", ""),
        created=response["CreationTime"],
        tags=tags_from_aws(response.get("Tags", [])),
    )


def tags_from_aws(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Read tags."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def tags_to_aws(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Convert tags to the form that AWS takes."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _artifacts(artifacts: Mapping[str, Mapping[str, str]]) -> tuple[Artifact, ...]:
    return tuple(Artifact(name, a["Value"], a.get("MediaType")) for name, a in sorted(artifacts.items()))


def _metric(metric: Mapping[str, Any]) -> Metric:
    return Metric(
        name=metric["MetricName"],
        last=float(metric.get("Last", math.nan)),
        min=float(metric.get("Min", math.nan)),
        max=float(metric.get("Max", math.nan)),
        avg=float(metric.get("Avg", math.nan)),
        std_dev=float(metric.get("StdDev", 0.0)),
        count=int(metric.get("Count", 0)),
    )


def is_own(parameter: str) -> bool:
    """Whether a parameter is one that SageMaker or its SDK adds to a job's own."""
    return parameter.startswith(_OWN_PREFIXES)


def is_training(component: Component) -> bool:
    """Whether a component is the training of a trial: by this library, by a training job, or by the SDK's `Run`."""
    is_run = component.tags.get(RUN_TAG) == "run"
    return is_run or component.display_name == TRAINING or component.job_name is not None


def code_uri(component: Component) -> str | None:
    """Return where the code is that was trained; a job without a network has it from a channel."""
    said = component.parameters.get("sagemaker_submit_directory")
    if not isinstance(said, str) or not said.startswith(_CHANNELS):
        return said if isinstance(said, str) else None
    channel = said.removeprefix(_CHANNELS).split("/")[0]
    return next((artifact.uri for artifact in component.inputs if artifact.name == channel), None)
