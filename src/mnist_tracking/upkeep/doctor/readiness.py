"""Whether jobs can be started: packages, credentials, region, role, permissions, bucket, key and quotas."""

import importlib.util
import json
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import is_without_credentials
from mnist_tracking._aws.inspection import (
    bucket_exists,
    caller_arn,
    caller_principal,
    denied_actions,
    describe_key,
    policy_scope,
    sagemaker_quotas,
    trust_policy,
)
from mnist_tracking._aws.permissions import ANY, ROLE_GRANTS, policy_for, user_grants
from mnist_tracking.errors import HOW_TO_SIGN_IN, AccessDeniedError, ConfigError
from mnist_tracking.upkeep.doctor.diagnosis import Check

_PACKAGES = ("mnist-tracking", "boto3", "sagemaker", "sagemaker-experiments", "setuptools")


def check_packages(_: Account) -> Iterator[Check]:
    """Check the versions of Python, of the required packages and of torch."""
    yield Check("Python", "ok", platform.python_version())
    problems = [problem for name in _PACKAGES if (problem := _problem(name)) is not None]
    failed = {problem.name for problem in problems}
    yield Check("packages", "ok", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES if name not in failed))
    yield from problems
    yield Check("torch", "ok", _version("torch") or "Not installed; only mnist_tracking.training needs it.")


def _problem(name: str) -> Check | None:
    found = _version(name)
    if name == "setuptools" and importlib.util.find_spec("pkg_resources") is None:
        detail = f"{found or 'Not installed'}: sagemaker-experiments needs pkg_resources, which setuptools 81 removed."
        return Check(name, "problem", detail, "Run: pip install 'setuptools<81'")
    if found is None:
        return Check(name, "problem", "Not installed.", f"Run: pip install {name}")
    if name == "sagemaker" and not found.startswith("2."):
        return Check(name, "problem", f"{found} has no PyTorch estimator.", "Run: pip install 'sagemaker>=2.257,<3'")
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_credentials(account: Account) -> Iterator[Check]:
    """Check that AWS accepts the credentials."""
    try:
        yield Check("credentials", "ok", caller_arn(account))
    except AccessDeniedError as error:
        detail = "Not found." if is_without_credentials(error) else f"AWS does not accept them: {error.detail}."
        yield Check("credentials", "problem", detail, f"S{HOW_TO_SIGN_IN[1:]}.")


def check_region(account: Account) -> Iterator[Check]:
    """Check that SageMaker is available in the region."""
    partition = account.boto_session.get_partition_for_region(account.region)
    known = account.boto_session.get_available_regions("sagemaker", partition_name=partition)
    if account.region in known:
        yield Check("region", "ok", account.region)
    else:
        yield Check("region", "warning", f"boto3 does not list SageMaker in {account.region}.", "Check its spelling.")


_SAGEMAKER = "sagemaker.amazonaws.com"
_NO_ROLE = "No role to check."
_NO_PRINCIPAL = "IAM can only simulate users and roles, not the root user or a federated user."


def check_role(account: Account) -> Iterator[Check]:
    """Check that the role of the jobs belongs to this account."""
    role = account.role
    if (owner := role.split(":")[4]) == account.account_id:
        yield Check("role", "ok", role)
    else:
        detail = f"{role} belongs to account {owner}, the credentials to {account.account_id}."
        yield Check("role", "problem", detail, "Pass a role of the same account; jobs cannot use a role of another.")


def check_trust(account: Account) -> Iterator[Check]:
    """Check that SageMaker may assume the role."""
    role = _find_role(account)
    if role is None:
        yield Check("trust", "skipped", _NO_ROLE)
    elif trusts_sagemaker(trust_policy(account, role)):
        yield Check("trust", "ok", "SageMaker may assume the role.")
    else:
        remedy = f"Allow sts:AssumeRole to the service {_SAGEMAKER} in the role's trust policy."
        yield Check("trust", "problem", "SageMaker may not assume the role, so jobs cannot use it.", remedy)


def trusts_sagemaker(policy: Mapping[str, Any]) -> bool:
    """Whether a trust policy allows SageMaker to assume its role."""
    return any(
        statement["Effect"] == "Allow"
        and {"sts:AssumeRole", "sts:*", "*"} & set(_as_list(statement.get("Action", [])))
        and _SAGEMAKER in json.dumps(statement.get("Principal", {}))
        for statement in _as_list(policy.get("Statement", []))
    )


def _as_list(value: Any) -> list[Any]:
    """Return a list; IAM omits the brackets of a list of one."""
    return value if isinstance(value, list) else [value]


def check_pass_role(account: Account) -> Iterator[Check]:
    """Check that the caller may pass the role to SageMaker."""
    role = _find_role(account)
    principal = caller_principal(account) if role else None
    if role is None or principal is None:
        yield Check("PassRole", "skipped", _NO_PRINCIPAL if role else _NO_ROLE)
    elif denied_actions(account, principal, ["iam:PassRole"], role, {"iam:PassedToService": _SAGEMAKER}):
        detail = f"{principal} may not pass the role to SageMaker, so no job can be started."
        yield Check("PassRole", "problem", detail, "Allow iam:PassRole on it; mnist-tracking doctor --print-policy.")
    else:
        yield Check("PassRole", "ok", "The caller may pass the role to SageMaker.")


_NOT_SIMULATED = ("doctor", "principal", "new bucket", "passed role", "key")
"""The first three are optional, the last two have their own checks, and IAM's simulator ignores key policies."""


def check_permissions(account: Account) -> Iterator[Check]:
    """Check that the caller has all permissions that this library needs."""
    principal = caller_principal(account)
    if principal is None:
        yield Check("permissions", "skipped", _NO_PRINCIPAL)
        return
    scope, needed = policy_scope(account, _find_role(account)), _actions_by_resource()
    denied: set[str] = set()
    for resource, actions in needed.items():
        example = resource if resource == ANY else scope.arn(resource).replace("*", "mnist-tracking")
        denied.update(denied_actions(account, principal, actions, example, {}))
    if denied:
        detail = f"IAM's simulator denies {', '.join(sorted(denied))}."
        yield Check("permissions", "warning", detail, "mnist-tracking doctor --print-policy prints what is needed.")
    else:
        yield Check("permissions", "ok", f"IAM's simulator allows all {sum(map(len, needed.values()))}.")


def _actions_by_resource() -> dict[str, list[str]]:
    needed: dict[str, list[str]] = {}
    for grant in user_grants():
        if grant.resource not in _NOT_SIMULATED:
            needed.setdefault(grant.resource, []).append(grant.action)
    return needed


def _find_role(account: Account) -> str | None:
    """Return the role's ARN; None without a role, which `check_role` reports."""
    try:
        return account.role
    except ConfigError:
        return None


def minimal_policy(workspace: Account) -> dict[str, object]:
    """
    Return the smallest IAM policy that allows what this library calls, as a dictionary for ``json.dumps``.

    The policy is for users of this library, not for the role that jobs run under; see `execution_role_policy`. It is
    generated from the list of API calls, and limited to the workspace's account, region, bucket, prefix, key and role.
    The statement ``CreateBucket`` may be removed once the bucket exists. ``DoctorLists`` and ``DoctorSimulates`` may be
    removed too, since only `diagnose` needs them. Only reads.

    Args:
        workspace: The workspace to allow. Without a role, the policy contains ``THE-ROLE-OF-YOUR-JOBS`` instead.

    Raises:
        AccessDeniedError: If there are no credentials, from which the account ID is read.

    Example:
        >>> from mnist_tracking.upkeep.doctor import minimal_policy
        >>> workspace = Workspace.embedded()
        >>> sorted(minimal_policy(workspace))
        ['Statement', 'Version']
        >>> workspace.close()
    """
    return policy_for(policy_scope(workspace, _find_role(workspace)), user_grants())


def execution_role_policy(workspace: Account) -> dict[str, object]:
    """
    Return the IAM policy for the role that jobs and models run under, as a dictionary for ``json.dumps``.

    It is limited to the workspace's account, region, bucket, prefix and key; with subnets, it allows what SageMaker
    needs to run in them. Data or models in other buckets need additional permissions. Besides this policy, the role
    needs a trust policy that allows ``sts:AssumeRole`` to ``sagemaker.amazonaws.com``. Only reads.

    Args:
        workspace: The workspace whose jobs to allow.

    Raises:
        AccessDeniedError: If there are no credentials, from which the account ID is read.

    Example:
        >>> from mnist_tracking.upkeep.doctor import execution_role_policy
        >>> workspace = Workspace.embedded()
        >>> sorted(statement["Sid"] for statement in execution_role_policy(workspace)["Statement"])
        ['Bucket', 'Images', 'Logs', 'Objects', 'RegistryAndMetrics', 'SageMaker']
        >>> workspace.close()
    """
    return policy_for(policy_scope(workspace, _find_role(workspace)), ROLE_GRANTS)


def check_bucket(account: Account) -> Iterator[Check]:
    """Check that the bucket exists or can be created, belongs to this account and is in the region."""
    name = account.bucket_name
    if bucket_exists(account):
        yield Check("bucket", "ok", name)
    elif account.creates_bucket:
        yield Check("bucket", "ok", f"{name} does not exist yet; it is created on first use.")
    else:
        yield Check("bucket", "problem", f"{name} does not exist.", "Create it, or pass create_bucket=True.")


def check_kms_key(account: Account) -> Iterator[Check]:
    """Check that the key can encrypt objects and volumes."""
    key = account.settings.kms_key
    if key is None:
        yield Check("key", "ok", "Not set; AWS encrypts with its own keys.")
        return
    metadata = describe_key(account, key)
    if metadata["KeyState"] != "Enabled":
        yield Check("key", "problem", f"{key} is {metadata['KeyState']}.", "Enable it, or pass another key.")
    elif metadata.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
        yield Check("key", "problem", f"{key} is {metadata['KeySpec']}.", "S3 and volumes need a symmetric key.")
    else:
        yield Check("key", "ok", key)


CHECKED_TYPES = {  # by use: this library's default first, then common types
    "training job": ("ml.m5.xlarge", "ml.c5.xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p3.2xlarge"),
    "endpoint": ("ml.m5.large", "ml.c5.xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge"),
}


def check_quotas(account: Account) -> Iterator[Check]:
    """Check how many instances of common types the account may use at once; new accounts have a quota of 0 for many."""
    quotas = sagemaker_quotas(account)
    for use, types in CHECKED_TYPES.items():
        found = {kind: int(quotas.get(f"{kind} for {use} usage", 0)) for kind in types}
        detail = ", ".join(f"{kind} {most}" for kind, most in found.items()) + "."
        if found[types[0]]:
            yield Check(f"{use} quota", "ok", detail)
        else:
            remedy = f"{types[0]} is the default. Choose another type, or request a higher quota from Service Quotas."
            yield Check(f"{use} quota", "warning", detail, remedy)
