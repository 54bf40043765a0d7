"""Deploy with the real PyTorchModel; delete what was deployed."""

import tarfile
import time
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from mnist_tracking._aws.account import find_model_role
from mnist_tracking._aws.convert import ADAPTER
from mnist_tracking._aws.errors import is_in_progress, is_missing, is_taken, translate, translated
from mnist_tracking._aws.estimator import volume_key
from mnist_tracking._aws.experiments import aws_tags
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._aws.storage import split_uri
from mnist_tracking.errors import (
    AlreadyExistsError,
    ConfigError,
    NotFoundError,
    ServiceError,
    StateError,
)

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

_AT_REST_WITHIN_S = 3600.0
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


@attrs.frozen(kw_only=True)
class Served:
    """
    What an endpoint serves.

    Attributes:
        model_uri: The model's archive.
        entry_point: The script that answers for it; None if the image does.
        source_dir: Where the script is: an archive in S3, or a folder; None if the script is a file of its own.
        image_uri: The container; None takes that of PyTorch.
    """

    model_uri: str
    entry_point: str | None
    source_dir: str | None
    image_uri: str | None = None


def deploy_model(
    workspace: "Workspace",
    served: Served,
    *,
    name: str,
    code_location: str,
    instance_type: str,
    instance_count: int,
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
            model_data=served.model_uri,
            entry_point=served.entry_point,
            source_dir=served.source_dir,
            image_uri=served.image_uri,
            code_location=code_location,
            framework_version="2.6.0",
            py_version="py312",
            **_said_by_workspace(workspace),
        )
        try:
            model.deploy(
                initial_instance_count=instance_count,
                instance_type=instance_type,
                endpoint_name=name,
                kms_key=volume_key(workspace, instance_type),
                tags=aws_tags(tags),
                wait=False,
            )
        except ClientError as error:
            if is_taken(error):
                raise AlreadyExistsError("endpoint", name) from error
            _refuse_missing(workspace, served)
            raise
        except S3UploadFailedError as error:
            raise ServiceError("S3UploadFailed", "PutObject", str(error)) from error
        except _UNREADABLE as error:
            said = f"cannot be packed with its code {served.source_dir or served.entry_point!r}: {error}"
            raise StateError("model", served.model_uri, said) from error
        except ValueError as error:
            raise ConfigError(f"{name!r} cannot be deployed: {error}") from error


def _said_by_workspace(workspace: "Workspace") -> dict[str, Any]:
    """Return the settings of a model; None leaves one to the SDK's config files."""
    settings = workspace.settings
    network = {"Subnets": list(settings.subnets or ()), "SecurityGroupIds": list(settings.security_group_ids or ())}
    return {
        "role": find_model_role(workspace),
        "sagemaker_session": workspace.sagemaker_session,
        "vpc_config": network if settings.subnets else None,
        "enable_network_isolation": settings.network_isolation,
        "model_kms_key": settings.kms_key,
    }


def _refuse_missing(workspace: "Workspace", served: Served) -> None:
    for uri in (served.model_uri, served.source_dir or ""):
        if not uri.startswith("s3://"):
            continue
        bucket, key = split_uri(uri)
        try:
            workspace.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                raise NotFoundError("object", uri) from error


def adapter_of(workspace: "Workspace", job_arn: str | None) -> str | None:
    """Return how the answers of a job's model are read, as `JobSpec.adapter` said it."""
    if job_arn is None:
        return None
    with translated():
        tags = workspace.client("sagemaker").list_tags(ResourceArn=job_arn)["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == ADAPTER), None)


def delete_endpoint(workspace: "Workspace", name: str, *, within_s: float = _AT_REST_WITHIN_S) -> list[tuple[str, str]]:
    """
    Delete an endpoint, its configuration, its model and the archive that was packed for it.

    What is gone already is fine. Returns what was deleted, the archive left out.

    Raises:
        StateError: If it is still being made or changed after *within_s* seconds. Then all of it stays.
    """
    client, archive = workspace.client("sagemaker"), _packed_archive(workspace, name)
    deleted = [("endpoint", name)] if delete_endpoint_alone(workspace, name, within_s=within_s) else []
    others = (
        ("endpoint config", client.delete_endpoint_config, "EndpointConfigName"),
        ("model", client.delete_model, "ModelName"),
    )
    deleted += [(kind, name) for kind, call, argument in others if _delete(call, argument, name)]
    if archive is not None:
        bucket, key = archive
        with translated():
            workspace.client("s3").delete_object(Bucket=bucket, Key=key)
    return deleted


def delete_endpoint_alone(workspace: "Workspace", name: str, *, within_s: float = _AT_REST_WITHIN_S) -> bool:
    """
    Delete an endpoint, and leave its configuration and its model; return whether it was there.

    SageMaker refuses that as long as the endpoint is being made or changed, so that is waited for.

    Raises:
        StateError: If it still is after *within_s* seconds.
    """
    begun = time.monotonic()
    try:
        while True:
            try:
                return _delete(workspace.client("sagemaker").delete_endpoint, "EndpointName", name)
            except ServiceError as error:
                if not is_in_progress(error):
                    raise
                if time.monotonic() - begun > within_s:
                    raise StateError("endpoint", name, "is still being made, and cannot be deleted yet") from error
            time.sleep(workspace.poll_s)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(
            f"The endpoint {name!r} may be there still; workspace.endpoint({name!r}).delete() deletes it."
        )
        raise


def _delete(call: Callable[..., Any], argument: str, name: str) -> bool:
    try:
        with translated():
            call(**{argument: name})
    except ServiceError as error:
        if not is_missing(error):
            raise
        return False
    return True


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
