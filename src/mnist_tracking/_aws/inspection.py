"""Facts about an account: caller, role, bucket, permissions, quotas, and what is running. Only reads."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import attrs
from botocore.exceptions import ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking._aws.permissions import PolicyScope
from mnist_tracking._aws.tags import is_ours
from mnist_tracking.errors import ConfigError, ServiceError

RunningKind = Literal["training job", "warm pool", "endpoint"]

_NOT_BILLED = frozenset({"Failed", "Deleting", "OutOfService"})


@attrs.frozen
class Running:
    """
    Something that is running, and that AWS charges for.

    Attributes:
        kind: What it is.
        name: Its name; for a warm pool, the name of the job that left it.
        instances: Its instance types, with the number of each.
        since: When it was created.
        is_ours: Whether this library created it.
    """

    kind: RunningKind
    name: str
    instances: tuple[tuple[str, int], ...]
    since: datetime
    is_ours: bool


def policy_scope(account: Account, role: str | None) -> PolicyScope:
    """Return the parts of the account's ARNs, with a placeholder for an unknown role."""
    partition = account.boto_session.get_partition_for_region(account.region)
    return PolicyScope(
        partition=partition,
        region=account.region,
        account_id=account.account_id,
        role=role or f"arn:{partition}:iam::{account.account_id}:role/THE-ROLE-OF-YOUR-JOBS",
        bucket=account.bucket_name,
        prefix=account.prefix,
        kms_key=account.settings.kms_key,
        is_in_vpc=account.settings.subnets is not None,
    )


def bucket_exists(account: Account) -> bool:
    """
    Whether the bucket exists.

    Raises:
        ConfigError: If it belongs to another account, or is in another region.
    """
    try:
        account.ensure_bucket(create=False)
    except ConfigError as error:
        if isinstance(error.__cause__, ServiceError) and is_missing(error.__cause__):
            return False
        raise
    return True


def describe_key(account: Account, key: str) -> Mapping[str, Any]:
    """Return the metadata of a KMS key, such as its ``KeyState``, ``KeySpec`` and ``KeyUsage``."""
    with translated():
        metadata: Mapping[str, Any] = account.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    return metadata


def caller_arn(account: Account) -> str:
    """Return the ARN of the caller, from STS."""
    with translated():
        return str(account.client("sts").get_caller_identity()["Arn"])


def caller_principal(account: Account) -> str | None:
    """Return the ARN of the user or role whose policies apply to the caller; None for root and federated users."""
    arn = caller_arn(account)
    kind, _, name = arn.split(":", 5)[5].partition("/")
    if kind == "user":
        return arn
    if kind != "assumed-role":
        return None
    with translated():  # the ARN of a session lacks the path of its role
        return str(account.client("iam").get_role(RoleName=name.split("/")[0])["Role"]["Arn"])


def trust_policy(account: Account, role: str) -> Mapping[str, Any]:
    """Return the trust policy of a role: who may assume it."""
    with translated():
        found = account.client("iam").get_role(RoleName=role.rsplit("/", 1)[-1])["Role"]
    document: Mapping[str, Any] = found["AssumeRolePolicyDocument"]  # botocore has decoded it
    return document


def denied_actions(
    account: Account, principal: str, actions: Sequence[str], resource: str, context: Mapping[str, str]
) -> list[str]:
    """Return the actions on a resource that IAM would deny to a user or role, from its simulator."""
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    request = {"PolicySourceArn": principal, "ActionNames": list(actions), "ResourceArns": [resource]}
    with translated():
        pages = account.client("iam").get_paginator("simulate_principal_policy")
        results = [
            result
            for page in pages.paginate(**request, ContextEntries=entries)
            for result in page.get("EvaluationResults", ())
        ]
    return [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]


def sagemaker_quotas(account: Account) -> dict[str, float]:
    """Return SageMaker's quotas by name, such as ``"ml.m5.xlarge for training job usage"``."""
    with translated():
        pages = account.client("service-quotas").get_paginator("list_service_quotas")
        return {
            quota["QuotaName"]: float(quota["Value"])
            for page in pages.paginate(ServiceCode="sagemaker")
            for quota in page["Quotas"]
        }


def running_jobs(account: Account) -> Iterator[Running]:
    """Yield the training jobs that are running, and the warm pools that ended jobs left, no matter who started them."""
    yield from _jobs(account, "training job", StatusEquals="InProgress")
    yield from _jobs(account, "warm pool", WarmPoolStatusEquals="Available")


def _jobs(account: Account, kind: RunningKind, **filters: str) -> Iterator[Running]:
    client = account.client("sagemaker")
    with translated():
        for page in client.get_paginator("list_training_jobs").paginate(**filters):
            for job in page["TrainingJobSummaries"]:
                name = job["TrainingJobName"]
                resources = client.describe_training_job(TrainingJobName=name)["ResourceConfig"]
                created_by_us = is_ours(account, job["TrainingJobArn"])
                yield Running(kind, name, _instances_of_job(resources), job["CreationTime"], created_by_us)


def running_endpoints(account: Account) -> Iterator[Running]:
    """Yield the endpoints that are running, no matter who created them."""
    client = account.client("sagemaker")
    with translated():
        for page in client.get_paginator("list_endpoints").paginate():
            for summary in page["Endpoints"]:
                endpoint = _endpoint(account, summary) if summary["EndpointStatus"] not in _NOT_BILLED else None
                if endpoint is not None:
                    yield endpoint


def _endpoint(account: Account, summary: Mapping[str, Any]) -> Running | None:
    """Return a running endpoint; None if it was deleted since it was listed."""
    name = summary["EndpointName"]
    try:
        instances = _instances_of_endpoint(account.client("sagemaker"), name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return Running("endpoint", name, instances, summary["CreationTime"], is_ours(account, summary["EndpointArn"]))


def _instances_of_job(resources: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    groups = resources.get("InstanceGroups") or [resources]
    return tuple((group["InstanceType"], int(group["InstanceCount"])) for group in groups)


def _instances_of_endpoint(client: Any, name: str) -> tuple[tuple[str, int], ...]:
    """Return the instances that an endpoint has now; a serverless variant has none."""
    endpoint = client.describe_endpoint(EndpointName=name)
    variants = endpoint.get("ProductionVariants", ())
    current = {variant["VariantName"]: variant.get("CurrentInstanceCount") for variant in variants}
    config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    return tuple(
        (variant["InstanceType"], int(current.get(variant["VariantName"]) or variant["InitialInstanceCount"]))
        for variant in config["ProductionVariants"]
        if "InstanceType" in variant
    )
