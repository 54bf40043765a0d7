"""
Creations and deletions that may be repeated: clients return success for a request whose first response was lost.

botocore repeats a request after a server error or a broken connection, although SageMaker may have executed it: the
repetition then fails, since the name is taken, or since what was to be deleted is gone. So every creation carries a tag
with a random value. If a repeated creation fails, and the resource has this value, the request itself has created it.
"""

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from mnist_tracking._aws.convert import REQUEST_TAG
from mnist_tracking._aws.errors import is_missing, is_server_error, is_taken

_KINDS = ("Experiment", "Trial", "TrialComponent", "TrainingJob", "Model", "EndpointConfig", "Endpoint")
_CREATION, _PARTS = "mnist_tracking_creation", "mnist_tracking_parts"


def make_sagemaker_idempotent(client: Any) -> None:
    """Let a SageMaker client return success for a repeated creation or deletion that was executed before."""
    events = client.meta.events
    for kind in _KINDS:
        events.register(f"provide-client-params.sagemaker.Create{kind}", partial(_add_token, kind))
        events.register(f"after-call.sagemaker.Create{kind}", partial(_accept_created, client, kind))
    events.register("after-call.sagemaker", _accept_deleted)


def make_s3_idempotent(client: Any) -> None:
    """Let an S3 client return success for a repeated completion of an upload that was executed before."""
    operation = "s3.CompleteMultipartUpload"
    client.meta.events.register(f"provide-client-params.{operation}", _remember_parts)
    client.meta.events.register(f"after-call.{operation}", partial(_accept_completed, client))


def _add_token(kind: str, params: Mapping[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    token = secrets.token_hex(8)
    context[_CREATION] = params.get(f"{kind}Name"), token
    return {**params, "Tags": [*(params.get("Tags") or ()), {"Key": REQUEST_TAG, "Value": token}]}


def _accept_created(
    client: Any, kind: str, http_response: Any, parsed: dict[str, Any], context: Mapping[str, Any], **_: object
) -> None:
    error = ClientError(parsed, f"Create{kind}")  # type: ignore[arg-type]
    if not (is_server_error(error) or (_is_repeated(parsed) and is_taken(error))):
        return
    name, token = context[_CREATION]
    try:
        described = getattr(client, xform_name(f"Describe{kind}"))(**{f"{kind}Name": name})
        arn = described[f"{kind}Arn"]
        pages = client.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = [tag for page in pages for tag in page["Tags"]]
    except ClientError:  # the first error is the one to report
        return
    if {"Key": REQUEST_TAG, "Value": token} in tags:
        _succeed(http_response, parsed, {f"{kind}Arn": arn})


def _accept_deleted(http_response: Any, parsed: dict[str, Any], model: OperationModel, **_: object) -> None:
    if model.name.startswith("Delete") and _is_repeated(parsed) and is_missing(ClientError(parsed, model.name)):  # type: ignore[arg-type]
        _succeed(http_response, parsed, {})


def _remember_parts(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
    context[_PARTS] = params


def _accept_completed(
    client: Any, http_response: Any, parsed: dict[str, Any], context: Mapping[str, Any], **_: object
) -> None:
    """Accept "no such upload" if the object has as many parts as the upload had."""
    if not _is_repeated(parsed) or parsed.get("Error", {}).get("Code") != "NoSuchUpload":
        return
    params = context[_PARTS]
    try:
        etag = client.head_object(Bucket=params["Bucket"], Key=params["Key"])["ETag"]
    except ClientError:  # the first error is the one to report
        return
    if etag.strip('"').endswith(f"-{len(params['MultipartUpload']['Parts'])}"):
        _succeed(http_response, parsed, {"Bucket": params["Bucket"], "Key": params["Key"], "ETag": etag})


def _is_repeated(parsed: Mapping[str, Any]) -> bool:
    return bool(parsed.get("ResponseMetadata", {}).get("RetryAttempts"))


def _succeed(http_response: Any, parsed: dict[str, Any], response: Mapping[str, Any]) -> None:
    """Turn an error response into a success, before botocore raises the error."""
    metadata = {**parsed["ResponseMetadata"], "HTTPStatusCode": 200}
    parsed.clear()
    parsed.update({**response, "ResponseMetadata": metadata})
    http_response.status_code = 200
