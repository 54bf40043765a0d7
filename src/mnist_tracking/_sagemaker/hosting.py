"""Deploy with the real PyTorchModel, wait for the endpoint, delete what was deployed."""

import tarfile
import time
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from mnist_tracking._sagemaker.convert import ADAPTER
from mnist_tracking._sagemaker.errors import is_missing, is_taken, translate, translated
from mnist_tracking._sagemaker.experiments import aws_tags
from mnist_tracking._sagemaker.objects import split_uri
from mnist_tracking._sagemaker.sdk import quiet
from mnist_tracking.errors import (
    AlreadyExistsError,
    ConfigError,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    ServiceError,
    StateError,
)

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

_LOG_LINES = 20
_UNREADABLE = (tarfile.TarError, zlib.error, EOFError, OSError)


def refuse_taken(workspace: "Workspace", name: str) -> None:
    """
    Make sure that a name is free for an endpoint, its configuration and its model.

    Raises:
        AlreadyExistsError: If one of them has that name.
    """
    client = workspace.client("sagemaker")
    calls: tuple[tuple[str, Callable[..., Any], str], ...] = (
        ("endpoint", client.describe_endpoint, "EndpointName"),
        ("endpoint config", client.describe_endpoint_config, "EndpointConfigName"),
        ("model", client.describe_model, "ModelName"),
    )
    for kind, call, argument in calls:
        try:
            call(**{argument: name})
        except ClientError as error:
            if not is_missing(error):
                raise translate(error) from error
        else:
            raise AlreadyExistsError(kind, name)


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
) -> None:
    """
    Start an endpoint, with a model and a configuration of the same name; does not wait.

    Raises:
        AlreadyExistsError: If the name is taken.
        NotFoundError: If the model's archive or that of its code is gone.
        StateError: If one of these archives cannot be read.
        ConfigError: If the SDK refuses the instance type or the region.
    """
    with quiet(), translated():
        from sagemaker.pytorch import PyTorchModel

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
        try:
            model.deploy(
                initial_instance_count=1,
                instance_type=instance_type,
                endpoint_name=name,
                tags=aws_tags(tags),
                wait=False,
            )
        except ClientError as error:
            if is_taken(error):
                raise AlreadyExistsError("endpoint", name) from error
            _refuse_missing(workspace, model_uri, code_uri)
            raise
        except S3UploadFailedError as error:
            raise ServiceError("S3UploadFailed", "PutObject", str(error)) from error
        except _UNREADABLE as error:
            raise StateError("model", model_uri, f"cannot be packed with its code {code_uri!r}: {error}") from error
        except ValueError as error:
            raise ConfigError(f"{name!r} cannot be deployed: {error}") from error


def _refuse_missing(workspace: "Workspace", *uris: str) -> None:
    for uri in uris:
        bucket, key = split_uri(uri)
        try:
            workspace.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                raise NotFoundError("object", uri) from error


def wait_for_endpoint(workspace: "Workspace", name: str, timeout_s: float | None) -> str:
    """
    Wait until an endpoint is in service and return its ARN.

    Raises:
        JobFailedError: If it fails; carries the end of its log.
        JobTimeoutError: If it takes longer than *timeout_s*; the caller deletes it then.
        NotFoundError: If somebody deleted it in the meantime.
    """
    client, begun, pause = workspace.client("sagemaker"), time.monotonic(), min(0.02, workspace.poll_s)
    while True:
        try:
            with translated():
                told = client.describe_endpoint(EndpointName=name)
        except ServiceError as error:
            if isinstance(error.__cause__, ClientError) and is_missing(error.__cause__):
                raise NotFoundError("endpoint", name) from error
            raise
        if told["EndpointStatus"] == "InService":
            return str(told["EndpointArn"])
        if told["EndpointStatus"] == "Failed":
            reason = told.get("FailureReason", "no reason was given")
            raise JobFailedError(name, reason, _log_tail(workspace, told))
        if timeout_s is not None and time.monotonic() - begun > timeout_s:
            raise JobTimeoutError(name, timeout_s, "It was deleted again.", _log_tail(workspace, told))
        time.sleep(pause)
        pause = min(pause * 1.3, workspace.poll_s)


def _log_tail(workspace: "Workspace", endpoint: Mapping[str, Any]) -> list[str]:
    """Return the last lines that an endpoint logged, oldest first; none where the log cannot be read."""
    logs, group = workspace.client("logs"), f"/aws/sagemaker/Endpoints/{endpoint['EndpointName']}"
    begun = int(endpoint["CreationTime"].timestamp() * 1000)  # an endpoint before it may have had its name
    try:
        streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)
        for stream in streams["logStreams"]:
            page = logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startTime=begun, limit=_LOG_LINES
            )
            return [event["message"] for event in page["events"]]
    except ClientError:  # why the endpoint failed matters more than that its log may not be read
        pass
    return []


def adapter_of(workspace: "Workspace", job_arn: str | None) -> str | None:
    """Return how the answers of a job's model are read, as `JobSpec.adapter` said it."""
    if job_arn is None:
        return None
    with translated():
        tags = workspace.client("sagemaker").list_tags(ResourceArn=job_arn)["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == ADAPTER), None)


def delete_endpoint(workspace: "Workspace", name: str) -> list[tuple[str, str]]:
    """
    Delete an endpoint, its configuration, its model and the archive that was packed for it.

    What is gone already is fine. Returns what was deleted, the archive left out.
    """
    client, archive = workspace.client("sagemaker"), _packed_archive(workspace, name)
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
    if archive is not None:
        bucket, key = archive
        with translated():
            workspace.client("s3").delete_object(Bucket=bucket, Key=key)
    return deleted


def _packed_archive(workspace: "Workspace", name: str) -> tuple[str, str] | None:
    """Return where the SDK put the archive that it packed for a model; None if the model is not such a one."""
    try:
        told = workspace.client("sagemaker").describe_model(ModelName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise translate(error) from error
    bucket, key = split_uri(told.get("PrimaryContainer", {}).get("ModelDataUrl", ""))
    return (bucket, key) if key.endswith(f"/models/{name}/model.tar.gz") else None
