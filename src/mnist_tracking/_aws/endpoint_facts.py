"""How an endpoint stands: find it, wait for it, read the end of its log."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs
from botocore.exceptions import ClientError

from mnist_tracking._aws.convert import ADAPTER, CREATED_BY, TRIAL_TAG, tags_from_aws
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking._aws.experiments import nearest
from mnist_tracking.errors import JobFailedError, JobTimeoutError, NotFoundError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

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


def find_endpoint(workspace: "Workspace", name: str) -> EndpointFacts:
    """
    Return what is known of an endpoint, whoever made it.

    Raises:
        NotFoundError: If there is no such endpoint; it names the nearest ones that there are.
    """
    client = workspace.client("sagemaker")
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


def endpoint_status(workspace: "Workspace", name: str) -> EndpointStatus:
    """
    Return how an endpoint stands.

    Raises:
        NotFoundError: If there is no such endpoint.
    """
    status: EndpointStatus = _describe(workspace, name)["EndpointStatus"]
    return status


def endpoint_arn(workspace: "Workspace", name: str) -> str:
    """Return the ARN of an endpoint."""
    return str(_describe(workspace, name)["EndpointArn"])


def _describe(workspace: "Workspace", name: str) -> Mapping[str, Any]:
    with translated():
        try:
            told: Mapping[str, Any] = workspace.client("sagemaker").describe_endpoint(EndpointName=name)
        except ClientError as error:
            if is_missing(error):
                raise NotFoundError("endpoint", name) from error
            raise
    return told


def wait_for_endpoint(workspace: "Workspace", name: str, timeout_s: float | None, outcome: str) -> None:
    """
    Wait until an endpoint is in service.

    Raises:
        JobFailedError: If it fails; carries the end of its log.
        JobTimeoutError: If it takes longer than *timeout_s*; says *outcome*, what becomes of it then.
        NotFoundError: If somebody deleted it in the meantime.
    """
    begun, pause = time.monotonic(), min(0.02, workspace.poll_s)
    while True:
        told = _describe(workspace, name)
        if told["EndpointStatus"] == "InService":
            return
        if told["EndpointStatus"] == "Failed":
            reason = told.get("FailureReason", "no reason was given")
            raise JobFailedError(name, reason, _log_tail(workspace, told))
        if timeout_s is not None and time.monotonic() - begun > timeout_s:
            raise JobTimeoutError(name, timeout_s, outcome, _log_tail(workspace, told))
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
