"""Endpoints: deployed with the SDK's PyTorchModel, described, waited for, invoked and deleted."""

import tarfile
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

import attrs
from botocore.exceptions import BotoCoreError, ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import ADAPTER, CREATED_BY, TRIAL_TAG, tags_to_aws
from mnist_tracking._aws.errors import (
    described,
    exists,
    if_exists,
    is_in_progress,
    is_missing,
    is_not_in_service,
    is_taken,
    translated,
)
from mnist_tracking._aws.experiments import FIRST_100
from mnist_tracking._aws.jobs import volume_key
from mnist_tracking._aws.logs import stream_tail
from mnist_tracking._aws.removal import delete_named
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._aws.staging import staged
from mnist_tracking._aws.storage import find_object, split_uri
from mnist_tracking._aws.tags import is_ours, tags_if_ours, tags_of
from mnist_tracking._aws.waiting import Polling
from mnist_tracking._values.archives import ArchiveError
from mnist_tracking.errors import (
    AlreadyExistsError,
    ConfigError,
    JobFailedError,
    JobTimeoutError,
    MnistTrackingError,
    NotFoundError,
    ServiceError,
    StateError,
)

EndpointStatus = Literal[
    "OutOfService",
    "Creating",
    "Updating",
    "SystemUpdating",
    "RollingBack",
    "InService",
    "Deleting",
    "Failed",
    "UpdateRollbackFailed",
]
HOSTING = {"endpoint": "endpoint", "endpoint config": "endpoint-config", "model": "model"}
"""What a deployment creates, in the order in which it is deleted: the type in an ARN, by kind."""

_UNREADABLE = (ArchiveError, tarfile.TarError, zlib.error, EOFError, OSError)
_LOG_LINES = 20
_LEFT_OVER = (
    "It was left by an interrupted deployment, or belongs to one in progress. Delete it with "
    "workspace.endpoint({0!r}).delete() or 'mnist-tracking undeploy {0}', or choose another name."
)


def check_endpoint_name_is_free(account: Account, name: str) -> None:
    """
    Check that no endpoint, endpoint configuration or model has that name.

    Raises:
        AlreadyExistsError: If one has. The message shows how to delete what is left of an interrupted deployment.
    """
    client = account.client("sagemaker")
    calls = {
        "endpoint": partial(client.describe_endpoint, EndpointName=name),
        "endpoint config": partial(client.describe_endpoint_config, EndpointConfigName=name),
        "model": partial(client.describe_model, ModelName=name),
    }
    for kind, call in calls.items():
        if exists(call):
            if kind == "endpoint":
                raise AlreadyExistsError(kind, name)
            if is_ours(account, hosting_arn(account, kind, name)):
                raise AlreadyExistsError(kind, name, _LEFT_OVER.format(name))
            raise AlreadyExistsError(kind, name, "Choose another name.")


@attrs.frozen(kw_only=True)
class Served:
    """
    What an endpoint serves.

    Attributes:
        model_uri: The model's archive.
        entry_point: The script that serves it; None if the image does.
        source_dir: Where the script is: an archive in S3, or a folder; None if the script is a single file.
        image_uri: The container image; by default PyTorch's.
    """

    model_uri: str
    entry_point: str | None
    source_dir: str | None
    image_uri: str | None = None


def deploy_model(
    account: Account,
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
        NotFoundError: If the archive of the model or of its code does not exist.
        StateError: If one of these archives cannot be read.
        ConfigError: If the SDK rejects the instance type or the region.
    """
    with quiet(), translated(), staged() as stage:
        code = served.source_dir and stage.view(served.source_dir)
        model = _model(account, attrs.evolve(served, source_dir=code), name=name, code_location=code_location)
        try:
            model.deploy(
                initial_instance_count=instance_count,
                instance_type=instance_type,
                endpoint_name=name,
                kms_key=volume_key(account, instance_type),
                tags=tags_to_aws(tags),
                wait=False,
            )
        except ClientError as error:
            if is_taken(error):
                raise AlreadyExistsError("endpoint", name) from error
            _require_archives(account, served)
            raise
        except BotoCoreError:  # a broken connection is an OSError, too
            raise
        except _UNREADABLE as error:
            detail = f"cannot be packed with its code {served.source_dir or served.entry_point!r}: {error}"
            raise StateError("model", served.model_uri, "damaged", detail) from error
        except ValueError as error:
            raise ConfigError(f"{name!r} cannot be deployed: {error}") from error


def check_served(account: Account, served: Served, instance_type: str) -> None:
    """
    Check what `deploy_model` would serve, without creating anything.

    Raises:
        NotFoundError: If the archive of the model or of its code does not exist.
        ConfigError: If the SDK has no container for the instance type or the region.
    """
    with quiet(), translated():
        _require_archives(account, served)
        if served.image_uri is None:
            try:
                _model(account, served).serving_image_uri(account.region, instance_type)
            except ValueError as error:
                raise ConfigError(f"instance_type={instance_type!r} cannot serve a model: {error}") from error


def _model(account: Account, served: Served, **named: str) -> Any:
    from sagemaker.pytorch import PyTorchModel

    return PyTorchModel(
        model_data=served.model_uri,
        entry_point=served.entry_point,
        source_dir=served.source_dir,
        image_uri=served.image_uri,
        framework_version="2.6.0",
        py_version="py312",
        **_model_settings(account),
        **named,
    )


def _model_settings(account: Account) -> dict[str, Any]:
    """Return the account's settings for a model; None leaves a setting to the SDK's config files."""
    settings = account.settings
    network = {"Subnets": list(settings.subnets or ()), "SecurityGroupIds": list(settings.security_group_ids or ())}
    return {
        "role": account.model_role,
        "sagemaker_session": account.sagemaker_session,
        "vpc_config": network if settings.subnets else None,
        "enable_network_isolation": settings.network_isolation,
        "model_kms_key": settings.kms_key,
    }


def _require_archives(account: Account, served: Served) -> None:
    for uri in (served.model_uri, served.source_dir or ""):
        if uri.startswith("s3://") and _is_gone(account, uri):
            raise NotFoundError("object", uri)


def _is_gone(account: Account, uri: str) -> bool:
    """Whether an object is known not to exist."""
    try:
        return find_object(account, uri) is None
    except ServiceError:
        return False


def adapter_of(account: Account, job_arn: str | None) -> str | None:
    """Return the `JobSpec.adapter` of a job, from its tags."""
    return None if job_arn is None else tags_of(account, job_arn).get(ADAPTER)


@attrs.frozen
class EndpointFacts:
    """What the tags of an endpoint tell: its trial, its adapter, and whether this library created it."""

    name: str
    trial: str | None
    adapter: str | None
    is_ours: bool


def find_endpoint(account: Account, name: str) -> EndpointFacts:
    """
    Return the facts about an endpoint, no matter who created it, or about what is left of one that we deployed.

    Raises:
        NotFoundError: If it does not exist; lists the nearest names.
    """
    client = account.client("sagemaker")

    def names() -> list[str]:
        pages = client.get_paginator("list_endpoints").paginate(PaginationConfig=FIRST_100)
        return [endpoint["EndpointName"] for page in pages for endpoint in page["Endpoints"]]

    try:
        found = described("endpoint", name, lambda: client.describe_endpoint(EndpointName=name), names)
    except NotFoundError:
        left = (tags_if_ours(account, hosting_arn(account, kind, name)) for kind in ("endpoint config", "model"))
        tags = next(filter(None, left), {})
        if not tags:
            raise
    else:
        tags = tags_of(account, found["EndpointArn"])
    return EndpointFacts(name, tags.get(TRIAL_TAG), tags.get(ADAPTER), CREATED_BY in tags)


def endpoint_status(account: Account, name: str) -> EndpointStatus:
    """
    Return the status of an endpoint.

    Raises:
        NotFoundError: If it does not exist.
    """
    status: EndpointStatus = _describe_endpoint(account, name)["EndpointStatus"]
    return status


def hosting_arn(account: Account, kind: str, name: str) -> str:
    """Return the ARN that an endpoint, an endpoint config or a model has, or will have."""
    partition = account.boto_session.get_partition_for_region(account.region)
    return f"arn:{partition}:sagemaker:{account.region}:{account.account_id}:{HOSTING[kind]}/{name.lower()}"


def wait_for_endpoint(account: Account, name: str, timeout_s: float | None, outcome: str) -> None:
    """
    Wait until an endpoint is in service.

    Raises:
        JobFailedError: If it fails; carries the end of its log.
        JobTimeoutError: If it takes longer than *timeout_s*; carries *outcome*, what happens to the endpoint then.
        NotFoundError: If it is deleted in the meantime.
    """
    for _ in Polling(account, timeout_s=timeout_s):
        found = _describe_endpoint(account, name)
        if found["EndpointStatus"] == "InService":
            return
        if found["EndpointStatus"] == "Failed":
            reason = found.get("FailureReason", "no reason was given")
            raise JobFailedError(name, reason, _log_tail(account, found))
    raise JobTimeoutError(name, timeout_s or 0.0, outcome, _log_tail(account, found))


def _describe_endpoint(account: Account, name: str) -> Mapping[str, Any]:
    try:
        with translated():
            found: Mapping[str, Any] = account.client("sagemaker").describe_endpoint(EndpointName=name)
    except ServiceError as error:
        if is_missing(error):
            raise NotFoundError("endpoint", name) from error
        raise
    return found


def _log_tail(account: Account, endpoint: Mapping[str, Any]) -> list[str]:
    """Return the last lines of an endpoint's log, oldest first; none if the log cannot be read."""
    group = f"/aws/sagemaker/Endpoints/{endpoint['EndpointName']}"
    try:  # an earlier endpoint may have had the same name
        return stream_tail(account.client("logs"), group, _LOG_LINES, since=endpoint["CreationTime"])
    except ClientError:  # the reason for the failure matters more than a log that cannot be read
        return []


def invoke(account: Account, name: str, body: object, *, content_type: str, accept: str) -> tuple[Any, str]:
    """
    Send a request to an endpoint, and return the stream of the response with its media type.

    Raises:
        NotFoundError: If the endpoint does not exist.
        StateError: If it is not in service.
        ServiceError: If the model fails; carries its message.
    """
    client = account.client("sagemaker-runtime")
    try:
        with translated():
            response = client.invoke_endpoint(EndpointName=name, Body=body, ContentType=content_type, Accept=accept)
    except ServiceError as error:
        if is_not_in_service(error) and (reason := _why_not_in_service(account, name)):
            raise reason from error
        raise
    return response["Body"], response.get("ContentType", accept)


def _why_not_in_service(account: Account, name: str) -> MnistTrackingError | None:
    """Return why an endpoint cannot be invoked; the runtime itself reports "not found" in every such case."""
    try:
        found = _describe_endpoint(account, name)
    except MnistTrackingError as error:
        return error
    if found["EndpointStatus"] == "InService":
        return None
    reason = found.get("FailureReason", "").rstrip(".")
    detail = f"is {found['EndpointStatus']}" + (f": {reason}" if reason else "")
    return StateError("endpoint", name, "not-in-service", detail)


def delete_endpoint(account: Account, name: str, *, within_s: float | None = None) -> list[tuple[str, str]]:
    """
    Delete an endpoint, its configuration, its model and the archive that was packed for it.

    What is already gone is not an error. Returns kind and name of what was deleted, except for the archive.

    Raises:
        StateError: If the endpoint is still being created or updated after *within_s* seconds. Nothing is deleted then.
    """
    archive = _packed_archive(account, name)
    deleted = [("endpoint", name)] if delete_endpoint_alone(account, name, within_s=within_s) else []
    deleted += [(kind, name) for kind in ("endpoint config", "model") if delete_named(account, kind, name)]
    if archive is not None:
        bucket, key = archive
        with translated():
            account.client("s3").delete_object(Bucket=bucket, Key=key)
    return deleted


def delete_endpoint_alone(account: Account, name: str, *, within_s: float | None = None) -> bool:
    """
    Delete an endpoint, without its configuration and model, and return whether it existed.

    SageMaker rejects that while the endpoint is being created or updated, so this waits until it is not.

    Raises:
        StateError: If it still is after *within_s* seconds.
    """
    timing = account.timing
    timeout_s = timing.deletable_within_s if within_s is None else within_s
    try:
        for _ in Polling(account, timeout_s=timeout_s, pause_s=timing.poll_s):
            try:
                return delete_named(account, "endpoint", name)
            except ServiceError as error:
                if not is_in_progress(error):
                    raise
                rejection = error
        detail = "is still being created or updated and cannot be deleted yet"
        raise StateError("endpoint", name, "in-progress", detail) from rejection
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"The endpoint {name!r} may still exist; workspace.endpoint({name!r}).delete() deletes it.")
        raise


def model_locations(account: Account, name: str) -> tuple[str, ...]:
    """Return the locations of a model's data and of its code; none if the model does not exist."""
    found = _find_model(account, name) or {}
    containers = [found.get("PrimaryContainer", {}), *found.get("Containers", ())]
    return tuple(uri for container in containers for uri in _locations_in(container) if uri.startswith("s3://"))


def _locations_in(container: Mapping[str, Any]) -> Iterator[str]:
    yield container.get("ModelDataUrl", "")
    yield container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri", "")
    yield container.get("Environment", {}).get("SAGEMAKER_SUBMIT_DIRECTORY", "")


def _find_model(account: Account, name: str) -> Mapping[str, Any] | None:
    return if_exists(lambda: account.client("sagemaker").describe_model(ModelName=name))


def _packed_archive(account: Account, name: str) -> tuple[str, str] | None:
    """Return bucket and key of the archive that the SDK packed for a model; None if it packed none."""
    found = _find_model(account, name) or {}
    bucket, key = split_uri(found.get("PrimaryContainer", {}).get("ModelDataUrl", ""))
    return (bucket, key) if key.endswith(f"/models/{name}/model.tar.gz") else None
