"""Deploy with the real PyTorchModel, wait for the endpoint, delete what was deployed."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mnist_tracking._sagemaker.convert import ADAPTER
from mnist_tracking._sagemaker.errors import is_missing, translate, translated
from mnist_tracking._sagemaker.experiments import aws_tags
from mnist_tracking._sagemaker.sdk import quiet
from mnist_tracking.errors import JobFailedError, JobTimeoutError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


def deploy_model(
    workspace: "Workspace",
    *,
    name: str,
    model_uri: str,
    entry_point: str,
    code_uri: str,
    code_location: str,
    instance_type: str,
    tags: Mapping[str, str],
) -> Any:
    """Start an endpoint, with a model and a configuration of the same name; return the SDK's predictor."""
    with quiet(), translated():
        from sagemaker.deserializers import NumpyDeserializer
        from sagemaker.pytorch import PyTorchModel
        from sagemaker.serializers import NumpySerializer

        model = PyTorchModel(
            name=name,
            model_data=model_uri,
            role=workspace.role,
            entry_point=entry_point,
            source_dir=code_uri,
            code_location=code_location,
            framework_version="2.6.0",
            py_version="py312",
            sagemaker_session=workspace.sagemaker_session,
        )
        return model.deploy(
            initial_instance_count=1,
            instance_type=instance_type,
            endpoint_name=name,
            serializer=NumpySerializer(),
            deserializer=NumpyDeserializer(),
            tags=aws_tags(tags),
            wait=False,
        )


def wait_for_endpoint(workspace: "Workspace", name: str, timeout_s: float | None) -> str:
    """
    Wait until an endpoint is in service and return its ARN.

    Raises:
        JobFailedError: If it fails.
        JobTimeoutError: If it takes longer than *timeout_s*.
    """
    client, begun, pause = workspace.client("sagemaker"), time.monotonic(), min(0.02, workspace.poll_s)
    while True:
        with translated():
            told = client.describe_endpoint(EndpointName=name)
        if told["EndpointStatus"] == "InService":
            return str(told["EndpointArn"])
        if told["EndpointStatus"] == "Failed":
            raise JobFailedError(name, told.get("FailureReason", "no reason was given"))
        if timeout_s is not None and time.monotonic() - begun > timeout_s:
            raise JobTimeoutError(name, timeout_s)
        time.sleep(pause)
        pause = min(pause * 1.3, workspace.poll_s)


def adapter_of(workspace: "Workspace", job_arn: str | None) -> str | None:
    """Return how the answers of a job's model are read, as `JobSpec.adapter` said it."""
    if job_arn is None:
        return None
    with translated():
        tags = workspace.client("sagemaker").list_tags(ResourceArn=job_arn)["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == ADAPTER), None)


def delete_endpoint(workspace: "Workspace", name: str) -> list[tuple[str, str]]:
    """Delete an endpoint, its configuration and its model; what is gone already is fine. Return what was deleted."""
    client = workspace.client("sagemaker")
    calls = (
        ("endpoint", client.delete_endpoint, {"EndpointName": name}),
        ("endpoint config", client.delete_endpoint_config, {"EndpointConfigName": name}),
        ("model", client.delete_model, {"ModelName": name}),
    )
    deleted = []
    for kind, call, arguments in calls:
        try:
            call(**arguments)
        except ClientError as error:
            if not is_missing(error):
                raise translate(error) from error
        else:
            deleted.append((kind, name))
    return deleted
