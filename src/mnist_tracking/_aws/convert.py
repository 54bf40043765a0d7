"""SageMaker's responses converted to records, and the tags that this library sets."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mnist_tracking._values.arguments import PROGRAM
from mnist_tracking._values.exact import EXACT, from_number, is_lost, take_exact
from mnist_tracking._values.markers import RESERVED
from mnist_tracking._values.provenance import take_provenance
from mnist_tracking._values.recordable import container_in
from mnist_tracking._values.records import Artifact, Component, ExperimentSummary, Metric, ParameterValue

TRAINING = "Training"
"""The display name of a trial's training step."""

SWEEP_COMPONENT = "Sweep"
"""The display name of the record of a sweep, which belongs to no trial."""

JOB_COMPONENT = "-aws-training-job"
"""How the name of a training job's component ends, after the name of the job."""

CREATED_BY = "mnist-tracking:created-by"
"""The tag of everything that this library creates."""

EXPERIMENT_TAG = "mnist-tracking:experiment"
"""The tag of a step that later trials of an experiment share."""

TRIAL_TAG = "mnist-tracking:trial"
"""The tag of an endpoint: the trial whose model it serves."""

OBJECTIVE_TAG = "mnist-tracking:objective"
"""The tag of an experiment: the objective of its jobs."""

JOB_TAG = "mnist-tracking:job"
"""The tag of a trial: the name of its training job, chosen by the program that created the trial."""

ADAPTER = "mnist-tracking:adapter"
"""The tag of a job or an endpoint: how its model's predictions are read."""

LEAVING_TAG = "mnist-tracking:leaving"
"""The tag of a component that may be in no trial: a cleanup of the experiment that the tag names finds it."""

REQUEST_TAG = "mnist-tracking:request"
"""The tag of everything that this library creates by name: a random value, by which it finds its own creations."""

INSTANCE_TYPE, INSTANCE_COUNT = "SageMaker.InstanceType", "SageMaker.InstanceCount"
"""The parameters of a job's component that show what the job runs on."""

RUN_TAG = "sagemaker:trial-component-source"  # set by the SDK's Run
_CHANNELS = "/opt/ml/input/data/"
_NOT_OF_THE_USER = ("sagemaker_", "SageMaker.", RESERVED)


def decode_parameters(parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, ParameterValue]:
    """
    Decode a component's parameters to the values that were recorded.

    The SDK JSON-quotes the hyperparameters of jobs, and the service turns numbers into floats.

    Example:
        >>> decode_parameters({"optimizer": {"StringValue": '"sgd"'}, "epochs": {"NumberValue": 2.0}})
        {'optimizer': 'sgd', 'epochs': 2}
    """
    return _decode(_stored(parameters))


def _stored(parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, str | float]:
    """Return parameters as a component stores them: strings and floats."""
    return {
        name: float(value["NumberValue"]) if "NumberValue" in value else str(value.get("StringValue", ""))
        for name, value in parameters.items()
    }


def _decode(stored: Mapping[str, str | float]) -> dict[str, ParameterValue]:
    decoded = {name: _decoded(value) for name, value in stored.items()}
    take_exact(decoded, stored)
    return decoded


def _decoded(text: str | float) -> ParameterValue:
    if isinstance(text, float):
        return from_number(text)
    if text in ("true", "false", "null") or (len(text) > 1 and text[0] == text[-1] == '"'):
        try:
            decoded: ParameterValue = json.loads(text)
        except ValueError:
            return text
        return decoded
    found = container_in(text)
    return text if found is None else found


def component_from_aws(response: Mapping[str, Any]) -> Component:
    """Convert a trial component, as Search returns it."""
    status = response.get("Status", {})
    stored = _stored(response.get("Parameters", {}))
    provenance = take_provenance(stored, response.get("MetadataProperties", {}))
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
        parameters=_decode(stored),
        inputs=_artifacts(response.get("InputArtifacts", {})),
        outputs=_artifacts(response.get("OutputArtifacts", {})),
        metrics={m["MetricName"]: _metric(m) for m in response.get("Metrics", [])},
        parents=tuple((p["TrialName"], p["ExperimentName"]) for p in response.get("Parents", []) if "TrialName" in p),
        tags=tags_from_aws(response.get("Tags", [])),
        provenance=provenance,
    )


def component_of_job(job: Mapping[str, Any]) -> Component:
    """
    Convert a training job to what its component will show of it, when SageMaker has created that.

    Args:
        job: The response of DescribeTrainingJob.
    """
    name, has_model = job["TrainingJobName"] + JOB_COMPONENT, job["TrainingJobStatus"] in ("Completed", "Stopped")
    model = {"SageMaker.ModelArtifact": {"Value": job["ModelArtifacts"]["S3ModelArtifacts"]}} if has_model else {}
    return component_from_aws(
        {
            "TrialComponentName": name,
            "TrialComponentArn": job["TrainingJobArn"],
            "DisplayName": TRAINING,
            "Status": {"PrimaryStatus": job["TrainingJobStatus"], "Message": job.get("FailureReason", "")},
            "Source": {"SourceArn": job["TrainingJobArn"]},
            "CreationTime": job["CreationTime"],
            "StartTime": job.get("TrainingStartTime"),
            "EndTime": job.get("TrainingEndTime"),
            "Parameters": {
                **_instances(job["ResourceConfig"]),
                **{name: _hyperparameter(value) for name, value in job.get("HyperParameters", {}).items()},
                **exact_given(job.get("HyperParameters", {})),
            },
            "OutputArtifacts": model,
        }
    )


def exact_given(hyperparameters: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the parameters that preserve what a job was given, as `exact_parameters` does for what is recorded."""
    return {f"{EXACT}{name}": {"StringValue": text} for name, text in hyperparameters.items() if _is_lost(text)}


def _is_lost(text: str) -> bool:
    try:
        return is_lost(json.loads(text))
    except ValueError:
        return False


def _instances(resources: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters of a component that show what its job runs on."""
    groups: Sequence[Mapping[str, Any]] = resources.get("InstanceGroups") or (resources,)
    return {
        INSTANCE_TYPE: {"StringValue": ", ".join(dict.fromkeys(str(group["InstanceType"]) for group in groups))},
        INSTANCE_COUNT: {"NumberValue": float(sum(group["InstanceCount"] for group in groups))},
    }


def _hyperparameter(text: str) -> dict[str, Any]:
    """Convert a hyperparameter of a job to the parameter that SageMaker makes of it: a number, if it is one."""
    try:
        number = float(text)
    except ValueError:
        return {"StringValue": text}
    return {"NumberValue": number} if math.isfinite(number) else {"StringValue": text}


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


def experiment_from_aws(response: Mapping[str, Any]) -> ExperimentSummary:
    """Convert an experiment, as Search returns it."""
    return ExperimentSummary(
        name=response["ExperimentName"],
        arn=response["ExperimentArn"],
        description=response.get("Description", ""),
        created=response["CreationTime"],
        tags=tags_from_aws(response.get("Tags", [])),
    )


def tags_from_aws(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Convert tags to a mapping, without the one that identifies the request."""
    return {tag["Key"]: tag["Value"] for tag in tags if tag["Key"] != REQUEST_TAG}


def tags_to_aws(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Convert tags to the form that AWS expects."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def metadata_to_aws(code: Mapping[str, Any]) -> dict[str, str]:
    """Convert the provenance of code to MetadataProperties."""
    members = {"CommitId": "commit", "Repository": "repository", "GeneratedBy": "command"}
    return {member: str(code[name]) for member, name in members.items() if name in code}


def is_sdk_parameter(parameter: str) -> bool:
    """Whether a parameter is one that SageMaker, its SDK or this library adds to a job's hyperparameters."""
    return parameter.startswith(_NOT_OF_THE_USER)


def is_training(component: Component) -> bool:
    """Whether a component recorded the training of a trial: by this library, a training job or the SDK's `Run`."""
    is_run = component.tags.get(RUN_TAG) == "run"
    return is_run or component.display_name == TRAINING or component.job_name is not None


def program(component: Component) -> str | None:
    """Return the script that was trained, relative to its code; None for what no script trained."""
    name = component.parameters.get(PROGRAM, component.parameters.get("sagemaker_program"))
    return name if isinstance(name, str) else None


def code_uri(component: Component) -> str | None:
    """Return the location of the code that was trained; a job without network access reads it from a channel."""
    location = component.parameters.get("sagemaker_submit_directory")
    if not isinstance(location, str) or not location.startswith(_CHANNELS):
        return location if isinstance(location, str) else None
    channel = location.removeprefix(_CHANNELS).split("/")[0]
    return next((artifact.uri for artifact in component.inputs if artifact.name == channel), None)
