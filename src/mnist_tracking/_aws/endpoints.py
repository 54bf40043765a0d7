"""Deploy with the real PyTorchModel; delete what was deployed."""

import tarfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import ADAPTER, CREATED_BY, TRIAL_TAG, tags_from_aws, tags_to_aws
from mnist_tracking._aws.errors import is_in_progress, is_missing, is_taken, translate, translated
from mnist_tracking._aws.experiments import nearest
from mnist_tracking._aws.jobs import volume_key
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._aws.storage import split_uri
from mnist_tracking._aws.waiting import polls
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

_UNREADABLE = (tarfile.TarError, zlib.error, EOFError, OSError)


def refuse_taken(account: Account, name: str) -> None:
    """
    Make sure that a name is free for an endpoint, its configuration and its model.

    Raises:
        AlreadyExistsError: If one of them has that name.
    """
    client = account.client("sagemaker")
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
            **_said_by_workspace(account),
        )
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
            _refuse_missing(account, served)
            raise
        except S3UploadFailedError as error:
            raise ServiceError("S3UploadFailed", "PutObject", str(error)) from error
        except _UNREADABLE as error:
            said = f"cannot be packed with its code {served.source_dir or served.entry_point!r}: {error}"
            raise StateError("model", served.model_uri, "damaged", said) from error
        except ValueError as error:
            raise ConfigError(f"{name!r} cannot be deployed: {error}") from error


def _said_by_workspace(account: Account) -> dict[str, Any]:
    """Return the settings of a model; None leaves one to the SDK's config files."""
    settings = account.settings
    network = {"Subnets": list(settings.subnets or ()), "SecurityGroupIds": list(settings.security_group_ids or ())}
    return {
        "role": account.model_role,
        "sagemaker_session": account.sagemaker_session,
        "vpc_config": network if settings.subnets else None,
        "enable_network_isolation": settings.network_isolation,
        "model_kms_key": settings.kms_key,
    }


def _refuse_missing(account: Account, served: Served) -> None:
    for uri in (served.model_uri, served.source_dir or ""):
        if not uri.startswith("s3://"):
            continue
        bucket, key = split_uri(uri)
        try:
            account.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                raise NotFoundError("object", uri) from error


def adapter_of(account: Account, job_arn: str | None) -> str | None:
    """Return how the answers of a job's model are read, as `JobSpec.adapter` said it."""
    if job_arn is None:
        return None
    with translated():
        tags = account.client("sagemaker").list_tags(ResourceArn=job_arn)["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == ADAPTER), None)


def delete_endpoint(account: Account, name: str, *, within_s: float | None = None) -> list[tuple[str, str]]:
    """
    Delete an endpoint, its configuration, its model and the archive that was packed for it.

    What is gone already is fine. Returns what was deleted, the archive left out.

    Raises:
        StateError: If it is still being made or changed after *within_s* seconds. Then all of it stays.
    """
    client, archive = account.client("sagemaker"), _packed_archive(account, name)
    deleted = [("endpoint", name)] if delete_endpoint_alone(account, name, within_s=within_s) else []
    others = (
        ("endpoint config", client.delete_endpoint_config, "EndpointConfigName"),
        ("model", client.delete_model, "ModelName"),
    )
    deleted += [(kind, name) for kind, call, argument in others if _delete(call, argument, name)]
    if archive is not None:
        bucket, key = archive
        with translated():
            account.client("s3").delete_object(Bucket=bucket, Key=key)
    return deleted


def delete_endpoint_alone(account: Account, name: str, *, within_s: float | None = None) -> bool:
    """
    Delete an endpoint, and leave its configuration and its model; return whether it was there.

    SageMaker refuses that as long as the endpoint is being made or changed, so that is waited for.

    Raises:
        StateError: If it still is after *within_s* seconds.
    """
    timeout_s = account.timing.deletable_within_s if within_s is None else within_s
    try:
        for _ in polls(account, timeout_s=timeout_s):
            try:
                return _delete(account.client("sagemaker").delete_endpoint, "EndpointName", name)
            except ServiceError as error:
                if not is_in_progress(error):
                    raise
                refusal = error
        raise StateError(
            "endpoint", name, "in-progress", "is still being created and cannot be deleted yet"
        ) from refusal
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


def _packed_archive(account: Account, name: str) -> tuple[str, str] | None:
    """Return where the SDK put the archive that it packed for a model; None if the model is not such a one."""
    try:
        told = account.client("sagemaker").describe_model(ModelName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise translate(error) from error
    bucket, key = split_uri(told.get("PrimaryContainer", {}).get("ModelDataUrl", ""))
    return (bucket, key) if key.endswith(f"/models/{name}/model.tar.gz") else None


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
_LOG_LINES = 20


@attrs.frozen
class EndpointFacts:
    """What the tags of an endpoint say: the trial, the adapter, and whether this library made it."""

    name: str
    trial_name: str | None
    adapter: str | None
    is_ours: bool


def find_endpoint(account: Account, name: str) -> EndpointFacts:
    """
    Return what is known of an endpoint, whoever made it.

    Raises:
        NotFoundError: If there is no such endpoint; it names the nearest ones that there are.
    """
    client = account.client("sagemaker")
    with translated():
        try:
            arn = client.describe_endpoint(EndpointName=name)["EndpointArn"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":  # so it calls a missing one, and a wrong name
                raise
            known = [endpoint["EndpointName"] for endpoint in client.list_endpoints(MaxResults=100)["Endpoints"]]
            raise NotFoundError("endpoint", name, nearest(name, known)) from error
        pages = client.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = tags_from_aws(tag for page in pages for tag in page["Tags"])
    return EndpointFacts(name, tags.get(TRIAL_TAG), tags.get(ADAPTER), CREATED_BY in tags)


def endpoint_status(account: Account, name: str) -> EndpointStatus:
    """
    Return how an endpoint stands.

    Raises:
        NotFoundError: If there is no such endpoint.
    """
    status: EndpointStatus = _describe(account, name)["EndpointStatus"]
    return status


def endpoint_arn(account: Account, name: str) -> str:
    """Return the ARN of an endpoint."""
    return str(_describe(account, name)["EndpointArn"])


def _describe(account: Account, name: str) -> Mapping[str, Any]:
    with translated():
        try:
            told: Mapping[str, Any] = account.client("sagemaker").describe_endpoint(EndpointName=name)
        except ClientError as error:
            if is_missing(error):
                raise NotFoundError("endpoint", name) from error
            raise
    return told


def wait_for_endpoint(account: Account, name: str, timeout_s: float | None, outcome: str) -> None:
    """
    Wait until an endpoint is in service.

    Raises:
        JobFailedError: If it fails; carries the end of its log.
        JobTimeoutError: If it takes longer than *timeout_s*; says *outcome*, what becomes of it then.
        NotFoundError: If somebody deleted it in the meantime.
    """
    for _ in polls(account, timeout_s=timeout_s):
        told = _describe(account, name)
        if told["EndpointStatus"] == "InService":
            return
        if told["EndpointStatus"] == "Failed":
            reason = told.get("FailureReason", "no reason was given")
            raise JobFailedError(name, reason, _log_tail(account, told))
    raise JobTimeoutError(name, timeout_s or 0.0, outcome, _log_tail(account, told))


def _log_tail(account: Account, endpoint: Mapping[str, Any]) -> list[str]:
    """Return the last lines that an endpoint logged, oldest first; none where the log cannot be read."""
    logs, group = account.client("logs"), f"/aws/sagemaker/Endpoints/{endpoint['EndpointName']}"
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


def invoke(account: Account, name: str, body: object, *, content_type: str, accept: str) -> tuple[Any, str]:
    """
    Send a body to an endpoint and return the stream of its answer, with the answer's media type.

    Raises:
        NotFoundError: If there is no such endpoint.
        StateError: If it is not in service.
        ServiceError: If the model fails, with its message.
    """
    client = account.client("sagemaker-runtime")
    try:
        with translated():
            answer = client.invoke_endpoint(EndpointName=name, Body=body, ContentType=content_type, Accept=accept)
    except ServiceError as error:
        if error.code == "ValidationError" and (trouble := _trouble(account, name)):
            raise trouble from error
        raise
    return answer["Body"], answer.get("ContentType", accept)


def _trouble(account: Account, name: str) -> MnistTrackingError | None:
    """Say why an endpoint cannot be asked; the runtime itself calls every such endpoint "not found"."""
    try:
        told = account.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        return NotFoundError("endpoint", name) if is_missing(error) else translate(error)
    if told["EndpointStatus"] == "InService":
        return None
    reason = told.get("FailureReason", "").rstrip(".")
    return StateError(
        "endpoint", name, "not-in-service", f"is {told['EndpointStatus']}" + (f": {reason}" if reason else "")
    )
