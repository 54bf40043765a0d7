"""Who is calling, and whether jobs may be started: credentials, region, role, permissions, bucket."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.inspection import (
    caller_arn,
    caller_principal,
    denied_actions,
    describe_account,
    describe_key,
    has_bucket,
    trust_policy,
)
from mnist_tracking._aws.permissions import ANY, all_grants
from mnist_tracking.errors import HOW_TO_SIGN_IN, NO_CREDENTIALS, AccessDeniedError, ConfigError
from mnist_tracking.upkeep.doctor.diagnosis import Check

_SAGEMAKER = "sagemaker.amazonaws.com"
_NO_ROLE = "There is no role to ask about."
_NO_PRINCIPAL = "IAM answers this for users and roles, not for the root user or a federated one."
_NOT_ASKED = ("doctor", "principal", "new bucket", "passed role", "key")
"""One can do without the first three; the last two have their own checks, and the simulator knows no key's policy."""


def check_credentials(account: Account) -> Iterator[Check]:
    """Ask AWS who is calling."""
    try:
        yield Check("credentials", "ok", caller_arn(account))
    except AccessDeniedError as error:
        there_are_none = error.code == NO_CREDENTIALS
        detail = "There are none." if there_are_none else f"AWS does not accept them: {error.detail}."
        yield Check("credentials", "problem", detail, f"S{HOW_TO_SIGN_IN[1:]}.")


def check_region(account: Account) -> Iterator[Check]:
    """Compare the region with those that SageMaker is known to be in."""
    partition = account.boto_session.get_partition_for_region(account.region)
    known = account.boto_session.get_available_regions("sagemaker", partition_name=partition)
    if account.region in known:
        yield Check("region", "ok", account.region)
    else:
        yield Check("region", "warning", f"boto3 knows of no SageMaker in {account.region}.", "Is it spelt right?")


def check_role(account: Account) -> Iterator[Check]:
    """Find the role of the jobs, and see that it is this account's."""
    role = account.role
    if (owner := role.split(":")[4]) == account.account_id:
        yield Check("role", "ok", role)
    else:
        detail = f"{role} is of account {owner}, the credentials are of {account.account_id}."
        yield Check("role", "problem", detail, "Give a role of the same account: jobs cannot run under another's.")


def check_trust(account: Account) -> Iterator[Check]:
    """See whether SageMaker may assume the role."""
    role = _role(account)
    if role is None:
        yield Check("trust", "skipped", _NO_ROLE)
    elif lets_sagemaker_in(trust_policy(account, role)):
        yield Check("trust", "ok", "SageMaker may assume the role.")
    else:
        remedy = f"Allow sts:AssumeRole to the service {_SAGEMAKER} in the role's trust policy."
        yield Check("trust", "problem", "SageMaker may not assume the role, so jobs cannot run under it.", remedy)


def check_pass_role(account: Account) -> Iterator[Check]:
    """See whether the caller may hand the role to SageMaker."""
    role = _role(account)
    principal = caller_principal(account) if role else None
    if role is None or principal is None:
        yield Check("PassRole", "skipped", _NO_PRINCIPAL if role else _NO_ROLE)
    elif denied_actions(account, principal, ["iam:PassRole"], role, {"iam:PassedToService": _SAGEMAKER}):
        detail = f"{principal} may not pass the role to SageMaker, so no job can be started."
        yield Check("PassRole", "problem", detail, "Allow iam:PassRole on it; mnist-tracking doctor --print-policy.")
    else:
        yield Check("PassRole", "ok", "The caller may pass the role to SageMaker.")


def check_permissions(account: Account) -> Iterator[Check]:
    """See whether the caller may do all that this library does."""
    principal = caller_principal(account)
    if principal is None:
        yield Check("permissions", "skipped", _NO_PRINCIPAL)
        return
    scope, wanted = describe_account(account, _role(account)), _actions_by_resource()
    denied: set[str] = set()
    for resource, actions in wanted.items():
        example = resource if resource == ANY else scope.arn(resource).replace("*", "mnist-tracking")
        denied.update(denied_actions(account, principal, actions, example, {}))
    if denied:
        detail = f"IAM's simulator denies {', '.join(sorted(denied))}."
        yield Check("permissions", "warning", detail, "mnist-tracking doctor --print-policy prints what is needed.")
    else:
        yield Check("permissions", "ok", f"IAM's simulator allows all {sum(map(len, wanted.values()))}.")


def check_bucket(account: Account) -> Iterator[Check]:
    """See whether the bucket is there, ours and in the region; make nothing."""
    name = account.bucket_name
    if has_bucket(account):
        yield Check("bucket", "ok", name)
    elif account.creates_bucket:
        yield Check("bucket", "ok", f"{name} does not exist yet; it is made when it is first needed.")
    else:
        yield Check("bucket", "problem", f"{name} does not exist.", "Create it, or pass create_bucket=True.")


def check_key(account: Account) -> Iterator[Check]:
    """See whether the key can encrypt objects and volumes."""
    key = account.settings.kms_key
    if key is None:
        yield Check("key", "ok", "None is set; AWS encrypts with keys of its own.")
        return
    told = describe_key(account, key)
    if told["KeyState"] != "Enabled":
        yield Check("key", "problem", f"{key} is {told['KeyState']}.", "Enable it, or give another.")
    elif told.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
        yield Check("key", "problem", f"{key} is {told['KeySpec']}.", "S3 and volumes need a symmetric key.")
    else:
        yield Check("key", "ok", key)


def lets_sagemaker_in(trust: Mapping[str, Any]) -> bool:
    """Whether a trust policy allows SageMaker to assume its role."""
    statements = _listed(trust.get("Statement", []))
    return any(
        statement["Effect"] == "Allow"
        and {"sts:AssumeRole", "sts:*", "*"} & set(_listed(statement.get("Action", [])))
        and _SAGEMAKER in json.dumps(statement.get("Principal", {}))
        for statement in statements
    )


def _listed(value: Any) -> list[Any]:
    """Return a list; IAM writes a list of one without its brackets."""
    return value if isinstance(value, list) else [value]


def _role(account: Account) -> str | None:
    """Return the role's ARN; None if there is none, which `check_role` tells."""
    try:
        return account.role
    except ConfigError:
        return None


def _actions_by_resource() -> dict[str, list[str]]:
    wanted: dict[str, list[str]] = {}
    for grant in all_grants():
        if grant.resource not in _NOT_ASKED:
            wanted.setdefault(grant.resource, []).append(grant.action)
    return wanted
