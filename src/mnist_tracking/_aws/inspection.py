"""What an account says of itself: caller, role, bucket, permissions, quotas, and what runs. Only reads."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import attrs
from botocore.exceptions import ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import CREATED_BY
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking._aws.permissions import PolicyScope
from mnist_tracking.errors import ConfigError, ServiceError

Kind = Literal["training job", "warm pool", "endpoint"]

_NOT_BILLED = frozenset({"Failed", "Deleting", "OutOfService"})


@attrs.frozen
class Running:
    """
    Something that costs money now.

    Attributes:
        kind: What it is.
        name: Its name; of a warm pool, that of the job that left it.
        instances: Instance types and how many of each.
        since: When it was created.
        is_ours: Whether this library made it.
    """

    kind: Kind
    name: str
    instances: tuple[tuple[str, int], ...]
    since: datetime
    is_ours: bool


def describe_account(account: Account, role: str | None) -> PolicyScope:
    """Return what ARNs are made of, with a placeholder for an unknown role; makes nothing."""
    partition = account.boto_session.get_partition_for_region(account.region)
    return PolicyScope(
        partition=partition,
        region=account.region,
        account_id=account.account_id,
        role=role or f"arn:{partition}:iam::{account.account_id}:role/THE-ROLE-OF-YOUR-JOBS",
        bucket=account.bucket_name,
        prefix=account.prefix,
        kms_key=account.settings.kms_key,
    )


def has_bucket(account: Account) -> bool:
    """
    Whether the bucket is there.

    Raises:
        ConfigError: If it is another account's, or lies in another region.
    """
    try:
        account.ensure_bucket(create=False)
    except ConfigError as error:
        if isinstance(error.__cause__, ServiceError) and is_missing(error.__cause__):
            return False
        raise
    return True


def describe_key(account: Account, key: str) -> Mapping[str, Any]:
    """Return what KMS says of a key: its ``KeyState``, ``KeySpec`` and ``KeyUsage`` among others."""
    with translated():
        told: Mapping[str, Any] = account.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    return told


def caller_arn(account: Account) -> str:
    """Return who is calling, as STS says it."""
    with translated():
        return str(account.client("sts").get_caller_identity()["Arn"])


def caller_principal(account: Account) -> str | None:
    """Return the user or role whose policies hold for the caller; None for the root user and federated ones."""
    arn = caller_arn(account)
    kind, _, name = arn.split(":", 5)[5].partition("/")
    if kind == "user":
        return arn
    if kind != "assumed-role":
        return None
    with translated():  # the ARN of a session lacks the path of its role
        return str(account.client("iam").get_role(RoleName=name.split("/")[0])["Role"]["Arn"])


def trust_policy(account: Account, role: str) -> Mapping[str, Any]:
    """Return who may assume a role, as a policy."""
    with translated():
        found = account.client("iam").get_role(RoleName=role.rsplit("/", 1)[-1])["Role"]
    document: Mapping[str, Any] = found["AssumeRolePolicyDocument"]  # botocore has decoded it
    return document


def denied_actions(
    account: Account, principal: str, actions: Sequence[str], resource: str, context: Mapping[str, str]
) -> list[str]:
    """Return which of some actions on a resource IAM would deny to a user or role."""
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
    """Yield the training jobs that run, and the warm pools that ended ones have left, whoever started them."""
    yield from _jobs(account, "training job", StatusEquals="InProgress")
    yield from _jobs(account, "warm pool", WarmPoolStatusEquals="Available")


def _jobs(account: Account, kind: Kind, **which: str) -> Iterator[Running]:
    client = account.client("sagemaker")
    with translated():
        for page in client.get_paginator("list_training_jobs").paginate(**which):
            for job in page["TrainingJobSummaries"]:
                name = job["TrainingJobName"]
                resources = client.describe_training_job(TrainingJobName=name)["ResourceConfig"]
                is_ours = _is_ours(client, job["TrainingJobArn"])
                yield Running(kind, name, _instances_of_job(resources), job["CreationTime"], is_ours)


def running_endpoints(account: Account) -> Iterator[Running]:
    """Yield the endpoints that run, whoever made them."""
    client = account.client("sagemaker")
    with translated():
        for page in client.get_paginator("list_endpoints").paginate():
            for summary in page["Endpoints"]:
                endpoint = _endpoint(client, summary) if summary["EndpointStatus"] not in _NOT_BILLED else None
                if endpoint is not None:
                    yield endpoint


def _endpoint(client: Any, summary: Mapping[str, Any]) -> Running | None:
    """Return an endpoint; None if it was deleted since it was listed."""
    name = summary["EndpointName"]
    try:
        instances = _instances_of_endpoint(client, name)
        is_ours = _is_ours(client, summary["EndpointArn"])
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return Running("endpoint", name, instances, summary["CreationTime"], is_ours)


def _instances_of_job(resources: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    groups = resources.get("InstanceGroups") or [resources]
    return tuple((group["InstanceType"], int(group["InstanceCount"])) for group in groups)


def _instances_of_endpoint(client: Any, name: str) -> tuple[tuple[str, int], ...]:
    """Return what serves an endpoint now; a serverless variant has no instances."""
    told = client.describe_endpoint(EndpointName=name)
    now = {
        variant["VariantName"]: variant.get("CurrentInstanceCount") for variant in told.get("ProductionVariants", ())
    }
    config = client.describe_endpoint_config(EndpointConfigName=told["EndpointConfigName"])
    return tuple(
        (variant["InstanceType"], int(now.get(variant["VariantName"]) or variant["InitialInstanceCount"]))
        for variant in config["ProductionVariants"]
        if "InstanceType" in variant
    )


def _is_ours(client: Any, arn: str) -> bool:
    pages = client.get_paginator("list_tags").paginate(ResourceArn=arn)
    return any(tag["Key"] == CREATED_BY for page in pages for tag in page["Tags"])
