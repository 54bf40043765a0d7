"""Where the calls go: an AWS account, or an embedded SageMaker in a folder. Above this, all code is the same."""

import os
import threading
from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from mnist_tracking.errors import ConfigError
from mnist_tracking.reading import Reader

if TYPE_CHECKING:
    import boto3
    import sagemaker

    from mnist_tracking.embedded import EmbeddedSageMaker

__all__ = ["Workspace"]

_DEFAULT_HOME = ".mnist-tracking"
_BACKENDS = ("embedded", "aws")


@attrs.frozen(kw_only=True)
class _Settings:
    """What the caller said once, for everything that the workspace makes."""

    role: str | None = None
    bucket: str | None = None
    prefix: str = "mnist-tracking"
    create_bucket: bool | None = None
    tags: Mapping[str, str] = attrs.field(factory=dict)


class Workspace(Reader):
    """
    Hands out a `boto3.Session`; everything else in this library is built on that.

    Make one with `Workspace.embedded`, `Workspace.aws` or `Workspace.from_env`.

    **Thread safety.** A workspace may be shared by threads. **Cost.** Making one makes no call; the role, the account
    and the bucket are looked up when they are first needed.

    Example:
        >>> workspace = Workspace.embedded()
        >>> workspace.bucket
        'sagemaker-us-east-1-000000000000'
        >>> workspace.close()
    """

    def __init__(self, boto_session: "boto3.Session", *, settings: _Settings, poll_s: float) -> None:
        self.boto_session = boto_session
        self.poll_s = poll_s
        self._settings = settings
        self._engine: EmbeddedSageMaker | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    @classmethod
    def embedded(
        cls,
        home: str | os.PathLike[str] | None = None,
        *,
        engine: "EmbeddedSageMaker | None" = None,
        python: str | None = None,
        bucket: str | None = None,
        prefix: str = "mnist-tracking",
        tags: Mapping[str, str] | None = None,
    ) -> "Workspace":
        """
        Work on an embedded SageMaker: no account, no Docker, no network.

        Args:
            home: The folder that holds everything; made if missing. Defaults to ``MNIST_TRACKING_HOME``, then to
                ``./.mnist-tracking``.
            engine: An engine of your own, with quotas or another clock; *home* and *python* are then its business.
            python: The interpreter of training jobs and endpoints. Defaults to the one that is running.
            bucket: A bucket name of your own; made if missing.
            prefix: Where in the bucket everything goes.
            tags: Put on everything that is made.

        Raises:
            ConfigError: If *home* cannot be written or is on a network file system.
        """
        from mnist_tracking.embedded import EmbeddedSageMaker

        if engine is None:
            home = home or os.environ.get("MNIST_TRACKING_HOME") or _DEFAULT_HOME
            engine = EmbeddedSageMaker(home, python=python)
        settings = _Settings(bucket=bucket, prefix=prefix, create_bucket=True, tags=tags or {})
        workspace = cls(engine.session(), settings=settings, poll_s=0.1)
        workspace._engine = engine
        return workspace

    @classmethod
    def aws(
        cls,
        *,
        boto_session: "boto3.Session | None" = None,
        profile: str | None = None,
        region: str | None = None,
        role: str | None = None,
        bucket: str | None = None,
        prefix: str = "mnist-tracking",
        create_bucket: bool | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "Workspace":
        """
        Work on an AWS account.

        Args:
            boto_session: A session of your own; otherwise one is made from *profile* and *region*.
            profile: A profile of your AWS configuration.
            region: The region; defaults to the session's.
            role: The ARN of the role that jobs run under. Without it, the role this program runs under.
            bucket: A bucket of yours; defaults to SageMaker's own, ``sagemaker-<region>-<account>``.
            prefix: Where in the bucket everything goes.
            create_bucket: Whether a missing bucket is made. By default only SageMaker's own is.
            tags: Put on everything that is made.

        Raises:
            ConfigError: If no region is known, or the profile does not exist.
        """
        import boto3
        from botocore.exceptions import ProfileNotFound

        try:
            session = boto_session or boto3.Session(profile_name=profile, region_name=region)
        except ProfileNotFound as error:
            known = ", ".join(boto3.Session(profile_name=None).available_profiles) or "none"
            raise ConfigError(f"No AWS profile named {profile!r}. Existing: {known}.") from error
        if not session.region_name:
            raise ConfigError("No region is known. Give region=, or set AWS_REGION or the profile's region.")
        settings = _Settings(role=role, bucket=bucket, prefix=prefix, create_bucket=create_bucket, tags=tags or {})
        return cls(session, settings=settings, poll_s=10.0)

    @classmethod
    def from_env(cls) -> "Workspace":
        """
        Work where ``MNIST_TRACKING_BACKEND`` says: ``embedded`` (also when it is unset) or ``aws``.

        Credentials that happen to be there are never taken as a wish to use them.

        Raises:
            ConfigError: If the variable has another value.
        """
        backend = os.environ.get("MNIST_TRACKING_BACKEND") or "embedded"
        if backend not in _BACKENDS:
            possible = " or ".join(map(repr, _BACKENDS))
            raise ConfigError(f"MNIST_TRACKING_BACKEND is {backend!r}; possible are {possible}.")
        return cls.embedded() if backend == "embedded" else cls.aws()

    def __repr__(self) -> str:
        where = repr(self._engine) if self._engine else f"AWS {self.region}"
        return f"<Workspace on {where}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what this process holds open, as leaving a ``with`` block does. Jobs and endpoints go on."""
        if self._engine is not None:
            self._engine.close()

    def client(self, service: str) -> Any:
        """Return a boto3 client of the workspace's session, the same one each time. Clients are thread-safe."""
        with self._lock:
            if service not in self._clients:
                from mnist_tracking._sagemaker.sessions import make_client

                self._clients[service] = make_client(self.boto_session, service)
            return self._clients[service]

    @property
    def region(self) -> str:
        """The region."""
        return str(self.boto_session.region_name)

    @property
    def prefix(self) -> str:
        """Where in the bucket everything goes, without slashes at its ends."""
        return self._settings.prefix.strip("/")

    @property
    def tags(self) -> dict[str, str]:
        """What everything that is made is tagged with, the mark of this library included."""
        from mnist_tracking import __version__
        from mnist_tracking._sagemaker.convert import CREATED_BY

        return {**self._settings.tags, CREATED_BY: f"mnist-tracking {__version__}"}

    @cached_property
    def account_id(self) -> str:
        """The account's twelve digits."""
        from mnist_tracking._sagemaker.errors import translated

        with translated():
            return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def role(self) -> str:
        """
        The ARN of the role that jobs run under.

        Raises:
            ConfigError: If none was given and this program does not run under a role.
        """
        if self._settings.role:
            return self._settings.role
        from mnist_tracking._sagemaker.sessions import find_role

        return find_role(self.sagemaker_session)

    @cached_property
    def bucket(self) -> str:
        """
        The bucket; made if missing and allowed.

        Raises:
            ConfigError: If it is missing and may not be made, is another account's, or lies in another region.
        """
        from mnist_tracking._sagemaker.buckets import ensure_bucket

        named, create = self._settings.bucket, self._settings.create_bucket
        name = named or f"sagemaker-{self.region}-{self.account_id}"
        with self._lock:  # S3 refuses to make one bucket twice at once
            ensure_bucket(
                self.client("s3"),
                name,
                region=self.region,
                account_id=self.account_id,
                create=(named is None) if create is None else create,
            )
        return name

    @cached_property
    def sagemaker_session(self) -> "sagemaker.Session":
        """The SageMaker SDK's session on the same boto3 session."""
        from mnist_tracking._sagemaker.sessions import make_session

        return make_session(self.boto_session, self.client("sagemaker"), self._settings.bucket)
