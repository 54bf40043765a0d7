"""Ask an endpoint: an array goes, an array comes."""

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from botocore.exceptions import ClientError

from mnist_tracking._sagemaker.errors import is_missing, translate, translated
from mnist_tracking.errors import MnistTrackingError, NotFoundError, ServiceError, StateError

if TYPE_CHECKING:
    import numpy.typing as npt

    from mnist_tracking.workspace import Workspace

_NPY = "application/x-npy"


def invoke(workspace: "Workspace", name: str, array: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
    """
    Send an array to an endpoint as npy; the answer may be npy, JSON or CSV.

    Raises:
        NotFoundError: If there is no such endpoint.
        StateError: If it is not in service.
        ServiceError: If the model fails, with its message; or if its answer cannot be read.
    """
    body = io.BytesIO()
    np.save(body, array, allow_pickle=False)
    client = workspace.client("sagemaker-runtime")
    try:
        with translated():
            answer = client.invoke_endpoint(EndpointName=name, Body=body.getvalue(), ContentType=_NPY, Accept=_NPY)
            return _decode(answer["Body"].read(), answer.get("ContentType", _NPY))
    except ServiceError as error:
        if error.code == "ValidationError" and (trouble := _trouble(workspace, name)):
            raise trouble from error
        raise


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


def _decode(content: bytes, content_type: str) -> "npt.NDArray[Any]":
    decode = _DECODERS.get(content_type.split(";")[0].strip().lower())
    if decode is None:
        said = f"the model answered with {content_type}; {', '.join(_DECODERS)} can be read"
        raise ServiceError("UnreadableAnswer", "InvokeEndpoint", said)
    try:
        return np.asarray(decode(io.BytesIO(content)))
    except (ValueError, EOFError) as error:
        said = f"the model calls its answer {content_type}, but it cannot be read as that"
        raise ServiceError("UnreadableAnswer", "InvokeEndpoint", said) from error


_DECODERS: dict[str, Callable[[io.BytesIO], Any]] = {
    _NPY: lambda content: np.load(content, allow_pickle=False),
    "application/json": json.load,
    "text/csv": lambda content: np.genfromtxt(content, delimiter=","),
}
