"""Ask an endpoint: a body goes, a body comes."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mnist_tracking._aws.errors import is_missing, translate, translated
from mnist_tracking.errors import MnistTrackingError, NotFoundError, ServiceError, StateError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


def invoke(workspace: "Workspace", name: str, body: object, *, content_type: str, accept: str) -> tuple[Any, str]:
    """
    Send a body to an endpoint and return the stream of its answer, with the answer's media type.

    Raises:
        NotFoundError: If there is no such endpoint.
        StateError: If it is not in service.
        ServiceError: If the model fails, with its message.
    """
    client = workspace.client("sagemaker-runtime")
    try:
        with translated():
            answer = client.invoke_endpoint(EndpointName=name, Body=body, ContentType=content_type, Accept=accept)
    except ServiceError as error:
        if error.code == "ValidationError" and (trouble := _trouble(workspace, name)):
            raise trouble from error
        raise
    return answer["Body"], answer.get("ContentType", accept)


def _trouble(workspace: "Workspace", name: str) -> MnistTrackingError | None:
    """Say why an endpoint cannot be asked; the runtime itself calls every such endpoint "not found"."""
    try:
        told = workspace.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        return NotFoundError("endpoint", name) if is_missing(error) else translate(error)
    if told["EndpointStatus"] == "InService":
        return None
    reason = told.get("FailureReason", "").rstrip(".")
    return StateError("endpoint", name, f"is {told['EndpointStatus']}" + (f": {reason}" if reason else ""))
