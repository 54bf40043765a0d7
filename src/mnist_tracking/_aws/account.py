"""Account: the boto3 session that all calls go through, its clients and settings, its role and its bucket."""

import pickle
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import attrs
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from mnist_tracking._aws.convert import CREATED_BY, tags_to_aws
from mnist_tracking._aws.errors import repeat_momentary, translated
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.settings import Settings
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    import sagemaker

_ENCRYPTED = ("PutObject", "CreateMultipartUpload", "CopyObject")


@attrs.frozen(kw_only=True)
class Timing:
    """
    How often and how long an account is polled, in seconds.

    Attributes:
        poll_s: The longest pause between two requests for a status. Pauses start at 20 ms and grow up to it.
        visible_within_s: How long to wait until Search, which is eventually consistent, shows what exists.
        deletable_within_s: How long to wait until an endpoint that is being created or updated can be deleted.
    """

    poll_s: float = 10.0
    visible_within_s: float = 60.0
    deletable_within_s: float = 3600.0


class Account:
    """
    An AWS account, or an embedded SageMaker in its place, with the settings for everything that is created there.

    **Thread safety.** Safe to share between threads. **Cost.** Creating one makes no call; the role, the account ID
    and the bucket are looked up on first use, once. **Pickles** hold the home, or the profile and the region, and the
    settings; a boto3 session or an engine of your own, which may hold credentials, is never pickled.

    Attributes:
        boto_session: The session that all calls go through.
        settings: The settings for everything that is created.
        timing: How often and how long to poll.
        sleep: Called with the seconds to pause between two polls; tests replace it.
        clock: Returns a monotonic time in seconds; tests replace it.
    """

    _again: Callable[[], Self] | None = None

    def __init__(self, boto_session: boto3.Session, *, settings: Settings, timing: Timing) -> None:
        self.boto_session = boto_session
        self.settings = settings
        self.timing = timing
        self.sleep: Callable[[float], object] = time.sleep
        self.clock: Callable[[], float] = time.monotonic
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        if self._again is None:
            raise pickle.PicklingError(
                f"{self!r} uses a boto3 session or an engine of your own, which cannot be pickled. Create it with "
                "Workspace.embedded(home) or Workspace.aws(profile=..., region=...), or pass names and data frames."
            )
        return self._again, ()

    def close(self) -> None:
        """Close the clients of this process."""
        with self._lock:
            for client in self._clients.values():
                client.close()

    def client(self, service: str) -> Any:
        """Return a boto3 client of the account's session, the same one each time. Clients are thread-safe."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _make_client(self, service: str) -> Any:
        """Create a client that waits out throttling, and adds the settings where the SDKs send requests for us."""
        session: Any = self.boto_session
        client = session.client(service, config=Config(retries={"mode": "adaptive", "max_attempts": 10}))
        if service == "s3" and self.settings.kms_key is not None:
            for operation in _ENCRYPTED:
                client.meta.events.register(
                    f"provide-client-params.s3.{operation}", partial(_encrypt, self.settings.kms_key)
                )
        if service == "sagemaker":
            repeat_momentary(client)
            # the Tracker creates artifacts, and takes no tags for them
            client.meta.events.register("provide-client-params.sagemaker.CreateArtifact", partial(_tag, self.tags))
        return client

    @property
    def region(self) -> str:
        """The AWS region."""
        return str(self.boto_session.region_name)

    @property
    def prefix(self) -> str:
        """The key prefix in the bucket for everything that is uploaded, without leading or trailing slashes."""
        if self.settings.prefix is not None:
            return self.settings.prefix.strip("/")
        configured = (self.configured("SESSION_DEFAULT_S3_OBJECT_KEY_PREFIX_PATH") or "").strip("/")
        return "/".join(part for part in (configured, "mnist-tracking") if part)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of everything that is created, the tag that marks it as this library's included."""
        from mnist_tracking import __version__

        return {**self.settings.tags, CREATED_BY: f"mnist-tracking {__version__}"}

    @cached_property
    def account_id(self) -> str:
        """The account ID, twelve digits."""
        with translated():
            return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def role(self) -> str:
        """
        The ARN of the role that jobs run under: as given, as in the SDK's config files, or this program's own.

        Raises:
            ConfigError: If no role was given or configured, and this program does not run under one.
        """
        return self.settings.role or self.configured("TRAINING_JOB_ROLE_ARN_PATH") or self._own_role()

    @property
    def model_role(self) -> str:
        """
        The ARN of the role that models run under: the jobs' own, unless the SDK's config files name another.

        Raises:
            ConfigError: As `role`.
        """
        return self.settings.role or self.configured("MODEL_EXECUTION_ROLE_ARN_PATH") or self.role

    @cached_property
    def bucket_name(self) -> str:
        """The name of the bucket, whether it exists or not."""
        return self._named_bucket() or f"sagemaker-{self.region}-{self.account_id}"

    @property
    def creates_bucket(self) -> bool:
        """Whether a missing bucket is created: by default SageMaker's own only, not a named one."""
        create = self.settings.create_bucket
        return self._named_bucket() is None if create is None else create

    @cached_property
    def bucket(self) -> str:
        """
        The bucket, created if it is missing and that is allowed.

        Raises:
            ConfigError: If it is missing and must not be created, belongs to another account, or is in another region.
        """
        with self._lock:  # S3 rejects two requests at once to create one bucket
            return self.ensure_bucket(create=self.creates_bucket)

    @cached_property
    def sagemaker_session(self) -> "sagemaker.Session":
        """
        The SageMaker SDK's session on the same boto3 session. Creating it makes no call unless a config file is in S3.

        Raises:
            ConfigError: If one of the SDK's config files cannot be read or is invalid.
        """
        with quiet(), translated():
            import sagemaker
            from jsonschema import ValidationError  # type: ignore[import-untyped]
            from yaml import YAMLError  # type: ignore[import-untyped]

            try:
                return sagemaker.Session(
                    boto_session=self.boto_session,
                    sagemaker_client=self.client("sagemaker"),
                    default_bucket=self.settings.bucket,
                )
            except ValidationError as error:
                reason = f"{'.'.join(map(str, error.absolute_path)) or 'top level'}: {error.message}"
                raise ConfigError(f"A config file of the SageMaker SDK is invalid: {reason}.") from error
            except (YAMLError, ValueError, OSError) as error:
                raise ConfigError(f"A config file of the SageMaker SDK cannot be read: {error}") from error

    def configured(self, path: str) -> Any:
        """Return the value at a path of the SDK's config files, a name in `sagemaker.config.config_schema`, or None."""
        session = self.sagemaker_session
        with quiet():
            from sagemaker.config import config_schema
            from sagemaker.utils import get_sagemaker_config_value

            return get_sagemaker_config_value(session, getattr(config_schema, path))

    def ensure_bucket(self, *, create: bool) -> str:
        """
        Make sure that the bucket exists, belongs to this account and is in the right region, and return its name.

        Raises:
            ConfigError: If it is missing and must not be created, belongs to another account, or is in another region.
        """
        s3, name = self.client("s3"), self.bucket_name
        try:
            with translated():
                response = s3.head_bucket(Bucket=name, ExpectedBucketOwner=self.account_id)
        except ServiceError as error:
            if error.code in ("403", "AccessDenied"):
                raise ConfigError(
                    f"The bucket {name!r} belongs to another account, or its policy denies account {self.account_id}. "
                    "Use a bucket of your own account."
                ) from error
            if error.code not in ("404", "NoSuchBucket"):
                raise
            if not create:
                raise ConfigError(
                    f"The bucket {name!r} does not exist. Create it, or pass create_bucket=True."
                ) from error
            self._create_bucket()
            return name
        region = response.get("BucketRegion") or self.region
        if region != self.region:
            raise ConfigError(
                f"The bucket {name!r} is in {region}, the workspace in {self.region}. They must be in the same region."
            )
        return name

    def _create_bucket(self) -> None:
        name, region = self.bucket_name, self.region
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            with translated():
                self.client("s3").create_bucket(Bucket=name, **location)
        except ServiceError as error:
            if error.code == "BucketAlreadyOwnedByYou":
                return
            if error.code == "BucketAlreadyExists":
                raise ConfigError(
                    f"The bucket name {name!r} is taken by another account. Choose another name."
                ) from error
            raise

    def _named_bucket(self) -> str | None:
        return self.settings.bucket or self.configured("SESSION_DEFAULT_S3_BUCKET_PATH")

    def _own_role(self) -> str:
        session = self.sagemaker_session
        with quiet():
            import sagemaker

            try:
                return str(sagemaker.get_execution_role(session))
            except (ValueError, ClientError, BotoCoreError) as error:
                raise ConfigError(
                    "No role was given, and this program does not run under a role that SageMaker can use "
                    f"({error}). Pass role='arn:aws:iam::<account>:role/<name>'."
                ) from error


def find_boto_session(session: boto3.Session | None, profile: str | None, region: str | None) -> boto3.Session:
    """
    Return *session*, or a new one.

    Raises:
        ConfigError: If the profile does not exist, or the region is unknown.
    """
    try:
        session = session or boto3.Session(profile_name=profile, region_name=region)
    except ProfileNotFound as error:
        known = ", ".join(boto3.Session(profile_name=None).available_profiles) or "none"
        raise ConfigError(f"No AWS profile named {profile!r}. Available: {known}.") from error
    if not session.region_name:
        raise ConfigError("No AWS region. Pass region=, or set AWS_DEFAULT_REGION or a region in the profile.")
    return session


def check_account(account: object) -> None:
    """Check that an argument is a workspace; ConfigError otherwise."""
    if not isinstance(account, Account):
        raise ConfigError(f"workspace={short_repr(account)}; expected a Workspace, such as Workspace.embedded().")


def _encrypt(key: str, params: Mapping[str, Any], **_: object) -> dict[str, Any]:
    """Add the key to an upload's parameters, unless the caller chose an encryption."""
    ours = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    return dict(params) if "ServerSideEncryption" in params else {**params, **ours}


def _tag(tags: Mapping[str, str], params: Mapping[str, Any], **_: object) -> dict[str, Any]:
    return {"Tags": tags_to_aws(tags), **params}
