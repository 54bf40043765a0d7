"""boto3's session and clients, the SDK's own session, and what its config files say."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.experiments import aws_tags
from mnist_tracking._aws.retries import repeat_momentary
from mnist_tracking._aws.sdk import quiet
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import sagemaker

    from mnist_tracking.workspace import Workspace

_ENCRYPTED = ("PutObject", "CreateMultipartUpload", "CopyObject")


def find_boto_session(session: boto3.Session | None, profile: str | None, region: str | None) -> boto3.Session:
    """
    Return a session, made if none is given.

    Raises:
        ConfigError: If the profile does not exist, or no region is known.
    """
    try:
        session = session or boto3.Session(profile_name=profile, region_name=region)
    except ProfileNotFound as error:
        known = ", ".join(boto3.Session(profile_name=None).available_profiles) or "none"
        raise ConfigError(f"No AWS profile named {profile!r}. Existing: {known}.") from error
    if not session.region_name:
        raise ConfigError("No region is known. Give region=, or set AWS_DEFAULT_REGION or the profile's region.")
    return session


def make_client(workspace: "Workspace", service: str) -> Any:
    """Make a client that waits out throttling, and adds the workspace's settings where others send for us."""
    session: Any = workspace.boto_session
    client = session.client(service, config=Config(retries={"mode": "adaptive", "max_attempts": 10}))
    if service == "s3" and workspace.settings.kms_key is not None:
        for operation in _ENCRYPTED:
            client.meta.events.register(
                f"provide-client-params.s3.{operation}", partial(_encrypt, workspace.settings.kms_key)
            )
    if service == "sagemaker":
        repeat_momentary(client)
        # the Tracker makes artifacts, and takes no tags for them
        client.meta.events.register("provide-client-params.sagemaker.CreateArtifact", partial(_tag, workspace.tags))
    return client


def _encrypt(key: str, params: Mapping[str, Any], **_: object) -> dict[str, Any]:
    """Return the parameters of an upload with the key, unless its caller said how to encrypt it."""
    ours = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    return dict(params) if "ServerSideEncryption" in params else {**params, **ours}


def _tag(tags: Mapping[str, str], params: Mapping[str, Any], **_: object) -> dict[str, Any]:
    return {"Tags": aws_tags(tags), **params}


def make_session(workspace: "Workspace") -> "sagemaker.Session":
    """
    Make the SDK's session; it makes no call, unless a config file lies in S3.

    Raises:
        ConfigError: If a config file cannot be read, or is none of the SDK's.
    """
    with quiet(), translated():
        import sagemaker
        from jsonschema import ValidationError  # type: ignore[import-untyped]
        from yaml import YAMLError  # type: ignore[import-untyped]

        try:
            return sagemaker.Session(
                boto_session=workspace.boto_session,
                sagemaker_client=workspace.client("sagemaker"),
                default_bucket=workspace.settings.bucket,
            )
        except ValidationError as error:
            reason = f"{'.'.join(map(str, error.absolute_path)) or 'it'}: {error.message}"
            raise ConfigError(f"A config file of the SageMaker SDK is wrong: {reason}.") from error
        except (YAMLError, ValueError, OSError) as error:
            raise ConfigError(f"A config file of the SageMaker SDK cannot be read: {error}") from error


def named_bucket(workspace: "Workspace") -> str | None:
    """Return the bucket that was given, or that the SDK's config files name."""
    return workspace.settings.bucket or configured(workspace, "SESSION_DEFAULT_S3_BUCKET_PATH")


def configured_prefix(workspace: "Workspace") -> str:
    """Return where in the bucket the SDK's config files send everything."""
    path = configured(workspace, "SESSION_DEFAULT_S3_OBJECT_KEY_PREFIX_PATH")
    return (path or "").strip("/")


def find_role(workspace: "Workspace") -> str:
    """
    Return the role that jobs run under: what was given, what the SDK's config files say, what this program runs under.

    Raises:
        ConfigError: If there is none.
    """
    given = workspace.settings.role or configured(workspace, "TRAINING_JOB_ROLE_ARN_PATH")
    return given or _own_role(workspace)


def find_model_role(workspace: "Workspace") -> str:
    """Return the role that models run under: that of jobs, unless the SDK's config files say otherwise."""
    given = workspace.settings.role or configured(workspace, "MODEL_EXECUTION_ROLE_ARN_PATH")
    return given or workspace.role


def configured(workspace: "Workspace", path: str) -> Any:
    """Return what the SDK's config files say at a path, a name of `sagemaker.config.config_schema`; None if nothing."""
    session = workspace.sagemaker_session
    with quiet():
        from sagemaker.config import config_schema
        from sagemaker.utils import get_sagemaker_config_value

        return get_sagemaker_config_value(session, getattr(config_schema, path))


def _own_role(workspace: "Workspace") -> str:
    session = workspace.sagemaker_session
    with quiet():
        import sagemaker

        try:
            return str(sagemaker.get_execution_role(session))
        except (ValueError, ClientError, BotoCoreError) as error:
            raise ConfigError(
                "No role was given, and this program does not run under one that SageMaker can use "
                f"({error}). Give role='arn:aws:iam::<account>:role/<name>'."
            ) from error
