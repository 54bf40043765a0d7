"""The embedded account: its id, region and role, and the ARNs of its resources."""

import attrs


@attrs.frozen
class Identity:
    """The embedded account. All ARNs are built here."""

    account_id: str
    region: str

    def sagemaker_arn(self, kind: str, name: str) -> str:
        """Build the ARN of a SageMaker resource; SageMaker lower-cases names in ARNs."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name.lower()}"

    @property
    def role_name(self) -> str:
        return "mnist-tracking-embedded"

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{self.account_id}:role/{self.role_name}"

    @property
    def caller_arn(self) -> str:
        """The ARN that STS returns from GetCallerIdentity: the role, assumed by SageMaker."""
        return f"arn:aws:sts::{self.account_id}:assumed-role/{self.role_name}/SageMaker"
