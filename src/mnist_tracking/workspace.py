"""Where the calls go: an AWS account, or an embedded SageMaker in a folder. Above this, all code is the same."""

import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self, Unpack

import attrs

from mnist_tracking._values.settings import Settings, SettingsOptions
from mnist_tracking.errors import ConfigError
from mnist_tracking.handle import Handle
from mnist_tracking.reader import Reader

if TYPE_CHECKING:
    import boto3
    import sagemaker

    from mnist_tracking.embedded import EmbeddedSageMaker

__all__ = ["Workspace"]


class Workspace(Handle, Reader):
    """
    Hands out a `boto3.Session`; everything else in this library is built on that.

    Made by `Workspace.embedded`, `Workspace.aws` or `Workspace.from_env`.

    **Thread safety.** A workspace may be shared by threads. **Cost.** Making one makes no call; the role, the account
    and the bucket are looked up when they are first needed. **Pickles** say where to work, and hold no credentials.

    Attributes:
        boto_session: What all calls go through.
        settings: What was said once for everything that is made.

    Example:
        >>> workspace = Workspace.embedded()
        >>> workspace.bucket
        'sagemaker-us-east-1-000000000000'
        >>> workspace.close()
    """

    def __init__(self, boto_session: "boto3.Session", *, settings: Settings, poll_s: float) -> None:
        self.boto_session = boto_session
        self.settings = settings
        self.poll_s = poll_s
        self._engine: EmbeddedSageMaker | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    @classmethod
    def embedded(  # noqa: PLR0913 - one keyword for each setting
        cls,
        home: str | os.PathLike[str] | None = None,
        *,
        engine: "EmbeddedSageMaker | None" = None,
        python: str | None = None,
        role: str | None = None,
        bucket: str | None = None,
        prefix: str | None = None,
        create_bucket: bool = True,
        kms_key: str | None = None,
        subnets: Sequence[str] | None = None,
        security_group_ids: Sequence[str] | None = None,
        network_isolation: bool | None = None,
        encrypt_traffic: bool | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "Workspace":
        """
        Work on an embedded SageMaker: no account, no Docker, no network.

        It keeps and gives back all settings as AWS does, so that a test can look at what is sent; none of them
        encrypts or isolates anything here.

        Args:
            home: The folder that holds everything; made if missing. Defaults to ``MNIST_TRACKING_HOME``, then to
                ``./.mnist-tracking``.
            engine: An engine of your own, with quotas or another clock; *home* and *python* are then its business.
            python: The interpreter of training jobs and endpoints. Defaults to the one that is running.
            role: As for `aws`, and so are those that follow.
            bucket: A bucket name of your own.
            prefix: Where in the bucket everything goes.
            create_bucket: Whether a missing bucket is made.
            kms_key: The key to encrypt with.
            subnets: The subnets of jobs and models.
            security_group_ids: Their security groups.
            network_isolation: Whether jobs and models have no network.
            encrypt_traffic: Whether the traffic between the hosts of a job is encrypted.
            tags: Put on everything that is made.

        Raises:
            ConfigError: If *home* cannot be written or is on a network file system, or AWS would refuse a setting.
        """
        from mnist_tracking.embedded import EmbeddedSageMaker

        is_described = engine is None
        if engine is None:
            home = home or os.environ.get("MNIST_TRACKING_HOME") or ".mnist-tracking"
            engine = EmbeddedSageMaker(home, python=python)
        settings = Settings(
            role=role,
            bucket=bucket,
            prefix=prefix,
            create_bucket=create_bucket,
            kms_key=kms_key,
            subnets=subnets,
            security_group_ids=security_group_ids,
            network_isolation=network_isolation,
            encrypt_traffic=encrypt_traffic,
            tags=tags,
        )
        workspace = cls(engine.session(), settings=settings, poll_s=0.1)
        workspace._engine = engine
        if is_described:
            workspace._again = partial(cls.embedded, engine.home, python=python, **attrs.asdict(settings))
        return workspace

    @classmethod
    def aws(  # noqa: PLR0913 - one keyword for each setting
        cls,
        *,
        boto_session: "boto3.Session | None" = None,
        profile: str | None = None,
        region: str | None = None,
        role: str | None = None,
        bucket: str | None = None,
        prefix: str | None = None,
        create_bucket: bool | None = None,
        kms_key: str | None = None,
        subnets: Sequence[str] | None = None,
        security_group_ids: Sequence[str] | None = None,
        network_isolation: bool | None = None,
        encrypt_traffic: bool | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "Workspace":
        """
        Work on an AWS account.

        What is said here holds for every experiment, component, job, model, endpoint and upload. What is not said is
        left to the config files of the SageMaker SDK (``SAGEMAKER_ADMIN_CONFIG_OVERRIDE``,
        ``SAGEMAKER_USER_CONFIG_OVERRIDE``), then to AWS.

        Args:
            boto_session: A session of your own; otherwise one is made from *profile* and *region*.
            profile: A profile of your AWS configuration.
            region: The region; defaults to the session's.
            role: The ARN of the role that jobs and models run under; IAM is then never called. Without it, the role
                that this program runs under.
            bucket: A bucket of yours; defaults to SageMaker's own, ``sagemaker-<region>-<account>``.
            prefix: Where in the bucket everything goes; defaults to ``mnist-tracking``.
            create_bucket: Whether a missing bucket is made. By default only SageMaker's own is.
            kms_key: The ID or the ARN of the key that uploads, a job's output, and the volumes of jobs and endpoints
                are encrypted with. Instance types with storage of their own encrypt that themselves.
            subnets: The IDs of the subnets that jobs and models run in.
            security_group_ids: The IDs of their security groups.
            network_isolation: Whether jobs and models have no network at all.
            encrypt_traffic: Whether the traffic between the hosts of a job is encrypted.
            tags: Put on everything that is made; objects in S3 have none.

        Raises:
            ConfigError: If no region is known, the profile does not exist, or AWS would refuse a setting.
        """
        from mnist_tracking._aws.account import find_boto_session

        settings = Settings(
            role=role,
            bucket=bucket,
            prefix=prefix,
            create_bucket=create_bucket,
            kms_key=kms_key,
            subnets=subnets,
            security_group_ids=security_group_ids,
            network_isolation=network_isolation,
            encrypt_traffic=encrypt_traffic,
            tags=tags,
        )
        workspace = cls(find_boto_session(boto_session, profile, region), settings=settings, poll_s=10.0)
        if boto_session is None:
            workspace._again = partial(cls.aws, profile=profile, region=workspace.region, **attrs.asdict(settings))
        return workspace

    @classmethod
    def from_env(cls, **settings: Unpack[SettingsOptions]) -> "Workspace":
        """
        Work where ``MNIST_TRACKING_BACKEND`` says: ``embedded`` (also when it is unset) or ``aws``.

        Credentials that happen to be there are never taken as a wish to use them. Both take these keywords.

        Raises:
            ConfigError: If the variable has another value, or AWS would refuse a setting.
        """
        backend = os.environ.get("MNIST_TRACKING_BACKEND") or "embedded"
        if backend not in ("embedded", "aws"):
            raise ConfigError(f"MNIST_TRACKING_BACKEND is {backend!r}; possible are 'embedded' or 'aws'.")
        return cls.embedded(**settings) if backend == "embedded" else cls.aws(**settings)

    def __repr__(self) -> str:
        return f"<Workspace on {self._engine or f'AWS {self.region}'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what this process holds open, as leaving a ``with`` block does. Jobs and endpoints go on."""
        with self._lock:
            for client in self._clients.values():
                client.close()
        if self._engine is not None:
            self._engine.close()

    def client(self, service: str) -> Any:
        """Return a boto3 client of the workspace's session, the same one each time. Clients are thread-safe."""
        with self._lock:
            if service not in self._clients:
                from mnist_tracking._aws.account import make_client

                self._clients[service] = make_client(self, service)
            return self._clients[service]

    @property
    def region(self) -> str:
        """The region."""
        return str(self.boto_session.region_name)

    @property
    def prefix(self) -> str:
        """Where in the bucket everything goes, without slashes at its ends."""
        if self.settings.prefix is not None:
            return self.settings.prefix.strip("/")
        from mnist_tracking._aws.account import configured_prefix

        return "/".join(part for part in (configured_prefix(self), "mnist-tracking") if part)

    @property
    def tags(self) -> dict[str, str]:
        """What everything that is made is tagged with, the mark of this library included."""
        from mnist_tracking import __version__
        from mnist_tracking._aws.convert import CREATED_BY

        return {**self.settings.tags, CREATED_BY: f"mnist-tracking {__version__}"}

    @cached_property
    def account_id(self) -> str:
        """The account's twelve digits."""
        from mnist_tracking._aws.errors import translated

        with translated():
            return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def role(self) -> str:
        """
        The ARN of the role that jobs run under.

        Raises:
            ConfigError: If none was given or configured, and this program does not run under one.
        """
        from mnist_tracking._aws.account import find_role

        return find_role(self)

    @cached_property
    def bucket_name(self) -> str:
        """The name of the bucket, whether or not it is there."""
        from mnist_tracking._aws.account import named_bucket

        return named_bucket(self) or f"sagemaker-{self.region}-{self.account_id}"

    @property
    def creates_bucket(self) -> bool:
        """Whether a missing bucket is made: by default only SageMaker's own, which nobody named."""
        from mnist_tracking._aws.account import named_bucket

        create = self.settings.create_bucket
        return named_bucket(self) is None if create is None else create

    @cached_property
    def bucket(self) -> str:
        """
        The bucket; made if missing and allowed.

        Raises:
            ConfigError: If it is missing and may not be made, is another account's, or lies in another region.
        """
        from mnist_tracking._aws.buckets import ensure_bucket

        with self._lock:  # S3 refuses to make one bucket twice at once
            return ensure_bucket(self, create=self.creates_bucket)

    @cached_property
    def sagemaker_session(self) -> "sagemaker.Session":
        """The SageMaker SDK's session on the same boto3 session."""
        from mnist_tracking._aws.account import make_session

        return make_session(self)
