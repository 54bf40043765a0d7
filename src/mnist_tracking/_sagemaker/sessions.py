"""The SDK's own session, and the role it finds."""

from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mnist_tracking._sagemaker.sdk import quiet
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import boto3
    import sagemaker


def make_client(session: Any, service: str) -> Any:
    """Make a client that waits out throttling."""
    return session.client(service, config=Config(retries={"mode": "adaptive", "max_attempts": 10}))


def make_session(boto_session: "boto3.Session", client: Any, bucket: str | None) -> "sagemaker.Session":
    """Make the SDK's session; it makes no call."""
    with quiet():
        import sagemaker

        return sagemaker.Session(boto_session=boto_session, sagemaker_client=client, default_bucket=bucket)


def find_role(session: "sagemaker.Session") -> str:
    """
    Return the role that this program runs under.

    Raises:
        ConfigError: If it runs under none.
    """
    with quiet():
        import sagemaker

        try:
            return str(sagemaker.get_execution_role(session))
        except (ValueError, ClientError, BotoCoreError) as error:
            raise ConfigError(
                "No role was given, and this program does not run under one that SageMaker can use "
                f"({error}). Give role='arn:aws:iam::<account>:role/<name>'."
            ) from error
