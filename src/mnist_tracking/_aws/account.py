"""Account: the boto3 session that all calls go through, with its clients, settings, role and bucket."""

import math
import os
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import attrs
import boto3
import platformdirs
from botocore.config import Config
from botocore.exceptions import ProfileNotFound

from mnist_tracking._aws.convert import CREATED_BY, tags_to_aws
from mnist_tracking._aws.errors import (
    is_bucket_name_taken,
    is_denied,
    is_missing,
    is_own_bucket,
    retry_momentary,
    retry_unsent,
    translated,
)
from mnist_tracking._aws.idempotency import make_s3_idempotent, make_sagemaker_idempotent
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.prices import Prices, default_prices
from mnist_tracking._values.settings import Settings
from mnist_tracking._values.text import short_repr
from mnist_tracking._values.version import __version__
from mnist_tracking._values.warning import warn
from mnist_tracking.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    import sagemaker

T = TypeVar("T")
_CONFIG_FILES = ("SAGEMAKER_ADMIN_CONFIG_OVERRIDE", "SAGEMAKER_USER_CONFIG_OVERRIDE")
_ENCRYPTED = ("PutObject", "CreateMultipartUpload", "CopyObject")


def _check_seconds(_: object, attribute: Any, value: object) -> None:
    if not (isinstance(value, int | float) and 0 <= value < math.inf):
        raise ConfigError(f"{attribute.name}={short_repr(value)}; expected seconds >= 0.")


def _check_share(_: object, attribute: Any, value: object) -> None:
    if not (isinstance(value, int | float) and 0 <= value < 1):
        raise ConfigError(
            f"{attribute.name}={short_repr(value)}; expected a number from 0 up to, but not including, 1."
        )


def _seconds(default: float) -> Any:
    return attrs.field(default=default, validator=_check_seconds)


@attrs.frozen(kw_only=True)
class Timing:
    """
    How often and how long AWS is polled, in seconds.

    Attributes:
        poll_s: The longest pause between two requests for a status.
        first_poll_s: The first pause; each further one is 30 % longer.
        jitter: The fraction by which a pause may be shorter or longer, so that programs that start together do not poll
            together.
        settled_within_s: How long after the end of a job to wait until its trial component shows the outcome and the
            final value of each metric.
        log_quiet_s: How long the log of an ended job must be quiet to count as complete.
        predicted_within_s: How long to wait for the response of an endpoint. SageMaker allows a model 60 seconds.
        deletable_within_s: How long to wait for an endpoint that is being created or updated before deleting it.
        outage_s: How long each trial of a sweep waits in total for outages of the service or the network to end.

    Raises:
        ConfigError: If a time is negative, or *jitter* is not a fraction.
    """

    poll_s: float = _seconds(10.0)
    first_poll_s: float = _seconds(2.0)
    jitter: float = attrs.field(default=0.25, validator=_check_share)
    settled_within_s: float = _seconds(120.0)
    log_quiet_s: float = _seconds(4.0)
    predicted_within_s: float = _seconds(70.0)
    deletable_within_s: float = _seconds(3600.0)
    outage_s: float = _seconds(3600.0)


_accounts: "weakref.WeakSet[Account]" = weakref.WeakSet()


def _start_process() -> None:
    for account in list(_accounts):
        account._start_process()


os.register_at_fork(after_in_child=_start_process)


class Account:
    """
    An AWS account, or an embedded SageMaker in its place, with the settings for everything that is created there.

    **Thread safety.** Safe to share between threads. **Cost.** Creating one makes no call; the role, the account ID
    and the bucket are looked up once, on first use. **Pickling.** A pickle holds the home, or the profile and the
    region, and the settings; it never holds a boto3 session or an engine that you passed, which may hold credentials.

    Attributes:
        boto_session: The session that all calls go through.
        settings: The settings for everything that is created.
        timing: How often and how long to poll.
        sleep: Pauses for a number of seconds between two polls; tests replace it.
        clock: Returns a monotonic time in seconds; tests replace it.
        is_billed: Whether AWS charges for what runs here; False for an embedded SageMaker, which runs on this machine.
        shared_cpus: The number of processors that all jobs share; None if each has its own, as on AWS.
    """

    _again: Callable[[], Self] | None = None

    def __init__(self, boto_session: boto3.Session, *, settings: Settings, timing: Timing) -> None:
        self.boto_session = boto_session
        self.settings = settings
        self.timing = timing
        self.sleep: Callable[[float], object] = time.sleep
        self.clock: Callable[[], float] = time.monotonic
        self.is_billed = True
        self.shared_cpus: int | None = None
        self._clients: dict[str, Any] = {}
        self._found: dict[str, object] = {}
        self._start_process()
        _accounts.add(self)

    def _start_process(self) -> None:
        """Start with free locks: at first, and in a forked child, where a thread of the parent may hold them."""
        self._clients_lock = threading.Lock()
        self._found_lock = threading.RLock()  # a look-up may need another one, and clients

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        if self._again is None:
            raise pickle.PicklingError(
                f"{self!r} was created with a boto3 session or an engine, which cannot be pickled. Create it with "
                "Workspace.embedded(home) or Workspace.aws(profile=..., region=...), or pass names and data frames."
            )
        return self._again, ()

    def close(self) -> None:
        """Close the clients."""
        with self._clients_lock:
            for client in self._clients.values():
                client.close()

    def client(self, service: str) -> Any:
        """Return the account's boto3 client of a service, the same one each time. Clients are thread-safe."""
        with self._clients_lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _make_client(self, service: str) -> Any:
        """
        Create a client that retries failed requests, and adds the settings to requests that the SDKs make.

        A request to a model is sent once: the model may take long to answer, and must not answer it twice.
        """
        session: Any = self.boto_session
        if service == "sagemaker-runtime":
            once = Config(
                read_timeout=self.timing.predicted_within_s, retries={"mode": "standard", "total_max_attempts": 1}
            )
            return retry_unsent(session.client(service, config=once))
        client = session.client(service, config=Config(retries={"mode": "adaptive", "max_attempts": 10}))
        if service == "s3":
            make_s3_idempotent(client)
            if self.settings.kms_key is not None:
                for operation in _ENCRYPTED:
                    client.meta.events.register(
                        f"provide-client-params.s3.{operation}", partial(_encrypt, self.settings.kms_key)
                    )
        if service == "sagemaker":
            retry_momentary(client)
            make_sagemaker_idempotent(client)
            # the Tracker creates artifacts, and accepts no tags for them
            client.meta.events.register("provide-client-params.sagemaker.CreateArtifact", partial(_add_tags, self.tags))
        return client

    @property
    def region(self) -> str:
        """The AWS region."""
        return str(self.boto_session.region_name)

    @property
    def prices(self) -> Prices:
        """The prices of instances that costs are computed with."""
        return self.settings.prices or default_prices()

    @property
    def prefix(self) -> str:
        """The prefix of the keys of everything that is uploaded, without leading or trailing slashes."""
        if self.settings.prefix is not None:
            return self.settings.prefix.strip("/")
        configured = (self.configured("SESSION_DEFAULT_S3_OBJECT_KEY_PREFIX_PATH") or "").strip("/")
        return "/".join(part for part in (configured, "mnist-tracking") if part)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of everything that is created, including the one that marks it as created by this library."""
        return {**self.settings.tags, CREATED_BY: f"mnist-tracking {__version__}"}

    @property
    def account_id(self) -> str:
        """The account ID, twelve digits."""
        return self._once("account_id", self._find_account_id)

    @property
    def role(self) -> str:
        """
        The ARN of the role that jobs run under: as given, as in the SDK's config files, or the caller's own role.

        Raises:
            ConfigError: If no role was given or configured, and the caller has none that SageMaker can use.
            AccessDeniedError: If the caller's credentials are missing, invalid or expired.
        """
        return self._once("role", self._find_role)

    @property
    def model_role(self) -> str:
        """
        The ARN of the role that models run under: the jobs' role, unless the SDK's config files name another.

        Raises:
            ConfigError: As for `role`.
        """
        return self.settings.role or self.configured("MODEL_EXECUTION_ROLE_ARN_PATH") or self.role

    @property
    def bucket_name(self) -> str:
        """The name of the bucket, which need not exist."""
        return self._once("bucket_name", lambda: self._named_bucket() or f"sagemaker-{self.region}-{self.account_id}")

    @property
    def creates_bucket(self) -> bool:
        """Whether a missing bucket is created: by default only SageMaker's default bucket, not a named one."""
        create = self.settings.create_bucket
        return self._named_bucket() is None if create is None else create

    @property
    def bucket(self) -> str:
        """
        The name of the bucket, which is created if it is missing and that is allowed.

        Raises:
            ConfigError: If it is missing and must not be created, belongs to another account, or is in another region.
        """
        return self._once("bucket", lambda: self.ensure_bucket(create=self.creates_bucket))

    @property
    def sagemaker_session(self) -> "sagemaker.Session":
        """
        The SageMaker SDK's session on the same boto3 session. Creating it makes no call unless a config file is in S3.

        Raises:
            ConfigError: If one of the SDK's config files cannot be read or is invalid.
        """
        return self._once("sagemaker_session", self._make_sagemaker_session)

    def _once(self, name: str, look_up: Callable[[], T]) -> T:
        """Return what *look_up* returned when it was first called; two threads never call it at the same time."""
        if name not in self._found:
            with self._found_lock:
                if name not in self._found:
                    self._found[name] = look_up()
        return cast("T", self._found[name])

    def warn_once(self, about: str, message: str) -> None:
        """Warn of something that is wrong with the whole account, the first time that this is called *about* it."""
        self._once(f"warning about {about}", lambda: warn(message))

    def _find_account_id(self) -> str:
        with translated():
            return str(self.client("sts").get_caller_identity()["Account"])

    def _find_role(self) -> str:
        return self.settings.role or self.configured("TRAINING_JOB_ROLE_ARN_PATH") or self._caller_role()

    def _caller_role(self) -> str:
        session = self.sagemaker_session
        with quiet(), translated():  # expired credentials are no answer to the question for the role
            import sagemaker

            try:
                return str(sagemaker.get_execution_role(session))
            except ValueError as error:
                raise ConfigError(
                    "No role was given, and this program does not run under a role that SageMaker can use "
                    f"({error}). Pass role='arn:aws:iam::<account>:role/<name>'."
                ) from error

    def _make_sagemaker_session(self) -> "sagemaker.Session":
        config = self._sdk_config
        with quiet(), translated():
            import sagemaker

            session = sagemaker.Session(
                boto_session=self.boto_session,
                sagemaker_client=self.client("sagemaker"),
                sagemaker_metrics_client=self.client("sagemaker-metrics"),
                sagemaker_config=config,
                default_bucket=self.settings.bucket,
            )
        session.s3_client = session.s3_resource.meta.client = self.client("s3")
        return session

    @property
    def _sdk_config(self) -> dict[str, Any]:
        """What the SDK's config files say, all together."""
        return self._once("sdk_config", self._load_sdk_config)

    def _load_sdk_config(self) -> dict[str, Any]:
        """Read the files, if any, without a session of the SDK, which takes longer to create than most calls."""
        if not _has_config_files():
            return {}
        with quiet(), translated():
            from jsonschema import ValidationError  # type: ignore[import-untyped]
            from sagemaker.config import load_sagemaker_config
            from yaml import YAMLError  # type: ignore[import-untyped]

            is_remote = any(os.environ.get(name, "").startswith("s3://") for name in _CONFIG_FILES)
            try:
                return dict(load_sagemaker_config(s3_resource=self.boto_session.resource("s3") if is_remote else None))
            except ValidationError as error:
                reason = f"{'.'.join(map(str, error.absolute_path)) or 'top level'}: {error.message}"
                raise ConfigError(f"A config file of the SageMaker SDK is invalid: {reason}.") from error
            except (YAMLError, ValueError, OSError) as error:
                raise ConfigError(f"A config file of the SageMaker SDK cannot be read: {error}") from error

    def configured(self, path: str) -> Any:
        """Return the value at a path of the SDK's config files, a name in `sagemaker.config.config_schema`, or None."""
        config = self._sdk_config
        if not config:
            return None
        with quiet():
            from sagemaker.config import config_schema
            from sagemaker.utils import get_sagemaker_config_value

            return get_sagemaker_config_value(None, getattr(config_schema, path), sagemaker_config=config)

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
            if is_denied(error):
                raise ConfigError(
                    f"The bucket {name!r} belongs to another account, or its policy denies account {self.account_id}. "
                    "Use a bucket of your own account."
                ) from error
            if not is_missing(error):
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
            if is_own_bucket(error):
                return
            if is_bucket_name_taken(error):
                raise ConfigError(
                    f"The bucket name {name!r} is taken by another account. Choose another name."
                ) from error
            raise

    def _named_bucket(self) -> str | None:
        return self.settings.bucket or self.configured("SESSION_DEFAULT_S3_BUCKET_PATH")


def _has_config_files() -> bool:
    """Whether the SDK has a file to read: two places of its own, each of which a variable may replace."""
    if any(name in os.environ for name in _CONFIG_FILES):
        return True
    folders = platformdirs.site_config_dir("sagemaker"), platformdirs.user_config_dir("sagemaker")
    return any(Path(folder, "config.yaml").exists() for folder in folders)


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


def _add_tags(tags: Mapping[str, str], params: Mapping[str, Any], **_: object) -> dict[str, Any]:
    return {"Tags": tags_to_aws(tags), **params}
