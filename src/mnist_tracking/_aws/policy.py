"""The smallest IAM policy that allows what this library calls, made from the list of calls."""

from collections.abc import Iterator, Mapping

import attrs

from mnist_tracking._aws.permissions import CALLS, RESOURCES, Grant

_CONDITIONS = {"PassRole": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}}


@attrs.frozen(kw_only=True)
class Account:
    """
    What the ARNs of a policy are made of.

    Attributes:
        partition: ``"aws"``, or another one, such as ``"aws-cn"``.
        region: The region.
        account_id: The account's twelve digits.
        role: The ARN of the role that jobs run under.
        bucket: The name of the bucket.
        prefix: Where in the bucket everything goes; may be empty.
        kms_key: The ID or the ARN of the key that all is encrypted with; None if there is none.
    """

    partition: str
    region: str
    account_id: str
    role: str
    bucket: str
    prefix: str
    kms_key: str | None = None

    def arn(self, resource: str) -> str:
        """Return the pattern of the ARNs of a kind of resource."""
        return RESOURCES[resource][1].format(
            partition=self.partition,
            region=self.region,
            account=self.account_id,
            role=self.role,
            bucket=self.bucket,
            objects="/".join(part for part in (self.bucket, self.prefix, "*") if part),
            key=self._key_arn(),
        )

    def _key_arn(self) -> str | None:
        if self.kms_key is None or self.kms_key.startswith("arn:"):
            return self.kms_key
        return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:key/{self.kms_key}"


def minimal_policy(account: Account) -> dict[str, object]:
    """
    Return the policy for whoever calls this library, ready for `json.dumps`.

    A statement allows each of its actions on each of its resources. That is no more than the table of calls says: an
    action has no effect on resources of other kinds.
    """
    statements: dict[str, list[Grant]] = {}
    for grant in all_grants():
        if grant.resource == "key" and account.kms_key is None:
            continue
        statements.setdefault(RESOURCES[grant.resource][0], []).append(grant)
    return {
        "Version": "2012-10-17",
        "Statement": [_statement(sid, grants, account) for sid, grants in statements.items()],
    }


def all_grants() -> Iterator[Grant]:
    """Yield every permission that is needed, once, in the order of the table of resources."""
    needed = dict.fromkeys(grant for call in CALLS for grant in call.grants)
    order = list(RESOURCES)
    yield from sorted(needed, key=lambda grant: (order.index(grant.resource), grant.action))


def _statement(sid: str, grants: list[Grant], account: Account) -> Mapping[str, object]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted({grant.action for grant in grants}),
        "Resource": list(dict.fromkeys(account.arn(grant.resource) for grant in grants)),
        **({"Condition": _CONDITIONS[sid]} if sid in _CONDITIONS else {}),
    }
