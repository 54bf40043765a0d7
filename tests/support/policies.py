"""IAM, as far as the policies of this library use it: what a call needs, and whether a policy allows that."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import OperationModel

from mnist_tracking._aws.account import Account

ACCOUNT = "000000000000"
_PREFIXES = {"sagemaker-runtime": "sagemaker", "sagemaker-metrics": "sagemaker", "service-quotas": "servicequotas"}
_S3_ACTIONS = {  # where the action has another name: the Service Authorization Reference of S3
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
}
_NAMES = {  # the members of a request that name what an operation is about
    "ExperimentName": "experiment",
    "TrialName": "experiment-trial",
    "TrialComponentName": "experiment-trial-component",
    "TrainingJobName": "training-job",
    "ModelName": "model",
    "EndpointConfigName": "endpoint-config",
    "EndpointName": "endpoint",
}
_ARNS = ("ResourceArn", "ArtifactArn", "SourceArn", "DestinationArn")


def needs_of(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the actions that a call needs, each with the ARN of what it is about."""
    if service == "sts":
        return
    action = f"{_PREFIXES.get(service, service)}:{_S3_ACTIONS.get(operation, operation)}"
    resources = list(_resources(service, operation, params))
    yield from ((action, resource) for resource in resources)
    if service == "sagemaker" and params.get("Tags") and operation != "AddTags":
        yield from (("sagemaker:AddTags", resource) for resource in resources)
    if role := params.get("RoleArn") or params.get("ExecutionRoleArn"):
        yield "iam:PassRole", role


def _resources(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[str]:
    if service in _ELSEWHERE:
        yield from _ELSEWHERE[service](params)
    elif operation == "Search" or (operation.startswith("List") and operation != "ListTags"):
        yield "*"
    elif operation == "CreateArtifact":
        yield f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:artifact/0"
    elif operation == "BatchGetMetrics":
        yield from (query["ResourceArn"] for query in params["MetricQueries"])
    else:
        yield from (
            f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:{kind}/{params[name].lower()}"
            for name, kind in _NAMES.items()
            if name in params
        )
        yield from (params[name] for name in _ARNS if name in params)


def _objects(params: Mapping[str, Any]) -> list[str]:
    bucket = f"arn:aws:s3:::{params['Bucket']}"
    keys = [item["Key"] for item in params.get("Delete", {}).get("Objects", [])]
    keys += [params["Key"]] if "Key" in params else []
    return [f"{bucket}/{key}" for key in keys] or [bucket]


_ELSEWHERE: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "s3": _objects,
    "iam": lambda params: [params.get("PolicySourceArn") or f"role/{params['RoleName']}"],
    "kms": lambda params: [params["KeyId"]],
    "logs": lambda params: [f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{params['logGroupName']}:log-stream:"],
    "service-quotas": lambda _: ["*"],
}


def allows(policy: Mapping[str, Any], action: str, resource: str) -> bool:
    """Whether a policy allows an action on a resource. Its condition on PassRole is not looked at."""
    return any(
        action in statement["Action"] and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in policy["Statement"]
    )


def enforce(workspace: Account, policy: Mapping[str, Any], roles: Mapping[str, str]) -> None:
    """
    Deny every call of a new workspace that a policy does not allow.

    Args:
        workspace: The workspace.
        policy: The policy of its caller.
        roles: The ARNs of roles by name, since GetRole is called with a name and authorised for an ARN.
    """

    def check(params: dict[str, Any], model: OperationModel, **_: object) -> None:
        service = model.service_model.service_name
        for action, resource in needs_of(service, model.name, params):
            arn = roles.get(resource.removeprefix("role/"), resource) if service == "iam" else resource
            if not allows(policy, action, arn):
                message = f"not authorized to perform: {action} on resource: {arn}"
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, model.name)

    workspace.boto_session.events.register("before-parameter-build.*.*", check)
