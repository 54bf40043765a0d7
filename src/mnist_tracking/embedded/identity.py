"""The embedded account: its id, region and role, and the ARNs of its resources."""

import attrs


@attrs.frozen
class Identity:
    """
    The embedded account. All ARNs are built here.

    Attributes:
        account_id: Twelve digits.
        region: The region.
        roles: The names of the roles that exist besides its own, and that SageMaker may assume; None for all.
    """

    account_id: str
    region: str
    roles: frozenset[str] | None = None

    def sagemaker_arn(self, kind: str, name: str) -> str:
        """Build the ARN of a SageMaker resource; SageMaker lower-cases names in ARNs."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name.lower()}"

    def has_role(self, name: str) -> bool:
        """Whether the account has a role of that name."""
        return self.roles is None or name == self.role_name or name in self.roles

    @property
    def role_name(self) -> str:
        return "mnist-tracking-embedded"

    def role_arn(self, name: str) -> str:
        return f"arn:aws:iam::{self.account_id}:role/{name}"

    @property
    def caller_arn(self) -> str:
        """The ARN that STS returns from GetCallerIdentity: the role, assumed by SageMaker."""
        return f"arn:aws:sts::{self.account_id}:assumed-role/{self.role_name}/SageMaker"
