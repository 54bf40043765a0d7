"""The roles that jobs and models run under."""

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.identity import Identity


def check_role(identity: Identity, arn: str) -> None:
    """
    Check that SageMaker can assume a role.

    Raises:
        ValidationFault: If it belongs to another account or does not exist.
    """
    _, _, _, _, account, resource = arn.split(":", 5)
    if account != identity.account_id:
        raise ValidationFault("RoleArn: Cross-account pass role is not allowed.")
    if not identity.has_role(resource.rsplit("/", 1)[-1]):
        raise ValidationFault(
            f"Could not assume role {arn}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role."
        )
