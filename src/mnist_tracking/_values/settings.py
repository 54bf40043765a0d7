"""Settings for everything that a workspace creates, checked before anything is sent."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

import attrs

from mnist_tracking._values.checks import check_count
from mnist_tracking._values.prices import VARIABLE as PRICES_VARIABLE
from mnist_tracking._values.prices import Prices
from mnist_tracking.errors import ConfigError

__all__ = ["Settings"]

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY_ID = r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_KEY = re.compile(rf"(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{{12}}:key/)?{_KEY_ID}")
_NETWORK = {"subnets": ("subnet-", 16), "security_group_ids": ("sg-", 5)}
_TAG_TEXT = re.compile(r"[\w .:/=+@-]*")
_MAX_TAGS = 46  # SageMaker allows 50, and this library adds up to four
_MAX_TAG_KEY, _MAX_TAG_VALUE = 128, 256


def _listed(values: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return a tuple; a single value becomes a tuple of itself, to be rejected with its name."""
    if values is None:
        return None
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else (values,)


def copied_tags(tags: Mapping[str, str] | None) -> Mapping[str, str]:
    """
    Return a copy of tags; an empty mapping for None.

    Raises:
        ConfigError: If they are not a mapping.
    """
    if tags is not None and not isinstance(tags, Mapping):
        raise ConfigError(f"tags={tags!r}; expected a mapping, such as {{'team': 'vision'}}.")
    return dict(tags or {})


def _prices(value: Prices | str | os.PathLike[str] | Mapping[str, Any] | None) -> Prices | None:
    given = os.environ.get(PRICES_VARIABLE) or None if value is None else value
    return None if given is None else Prices.of(given)


class SettingsOptions(TypedDict, total=False):
    """The keywords of `Workspace.aws` and `Workspace.embedded`; `Settings` describes them."""

    role: str | None
    bucket: str | None
    prefix: str | None
    create_bucket: bool
    kms_key: str | None
    subnets: Sequence[str] | None
    security_group_ids: Sequence[str] | None
    network_isolation: bool | None
    encrypt_traffic: bool | None
    tags: Mapping[str, str] | None
    prices: Prices | str | os.PathLike[str] | Mapping[str, Any] | None
    trial_quota: int | None
    component_quota: int | None


@attrs.frozen(kw_only=True)
class Settings:
    """
    The settings of a workspace: the keywords of `Workspace.aws`, `Workspace.embedded` and `Workspace.from_env`.

    None falls back to the config files of the SageMaker SDK, then to AWS's defaults.

    Attributes:
        role: The ARN of the role that jobs and models run under; IAM is then never called. By default, the role that
            this program runs under.
        bucket: The bucket; by default SageMaker's own, ``sagemaker-<region>-<account>``.
        prefix: The key prefix in the bucket for everything; by default ``mnist-tracking``.
        create_bucket: Whether to create a missing bucket. By default only SageMaker's own, but any
            bucket in an embedded workspace.
        kms_key: The ID or ARN of the key that encrypts uploads, the output of jobs, and the volumes of jobs and
            endpoints. Instance types with local storage encrypt that storage themselves.
        subnets: The IDs of the subnets that jobs and models run in.
        security_group_ids: The IDs of their security groups.
        network_isolation: Whether jobs and models have no network access at all.
        encrypt_traffic: Whether to encrypt the traffic between the hosts of a job.
        tags: Tags for everything that is created; S3 objects get none.
        prices: The prices of instances that costs are computed with: the path of a file, or a
            `mnist_tracking.types.Prices`. Defaults to the file that the environment variable ``MNIST_TRACKING_PRICES``
            names, then to the list prices in the package.
        trial_quota: How many trials an experiment can have; AWS raises its default of 300 on request. None stands for
            any number.
        component_quota: How many components a trial can have; AWS raises its default of 50 on request.

    Raises:
        ConfigError: If AWS would reject one of them, or a quota is less than 1.
    """

    role: str | None = None
    bucket: str | None = None
    prefix: str | None = None
    create_bucket: bool | None = None
    kms_key: str | None = None
    subnets: tuple[str, ...] | None = attrs.field(default=None, converter=_listed)
    security_group_ids: tuple[str, ...] | None = attrs.field(default=None, converter=_listed)
    network_isolation: bool | None = None
    encrypt_traffic: bool | None = None
    tags: Mapping[str, str] = attrs.field(factory=dict, converter=copied_tags, hash=False)
    prices: Prices | None = attrs.field(default=None, converter=_prices)
    trial_quota: int | None = 300
    component_quota: int | None = 50

    def __attrs_post_init__(self) -> None:
        for name in ("role", "bucket", "prefix", "kms_key"):
            self._check_type(name, str, "a string")
        for name in ("create_bucket", "network_isolation", "encrypt_traffic"):
            self._check_type(name, bool, "True or False")
        for name in ("trial_quota", "component_quota"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        _check_role(self.role)
        _check_bucket(self.bucket)
        _check_key(self.kms_key)
        _check_network(self.subnets, self.security_group_ids)
        check_tags(self.tags)

    def _check_type(self, name: str, kind: type, said: str) -> None:
        value = getattr(self, name)
        if value is not None and not isinstance(value, kind):
            raise ConfigError(f"{name}={value!r}; expected {said}.")


def _check_role(role: str | None) -> None:
    if role is not None and not _ROLE.fullmatch(role):
        raise ConfigError(f"role={role!r} is not the ARN of a role. Pass 'arn:aws:iam::<account>:role/<name>'.")


def _check_bucket(bucket: str | None) -> None:
    if bucket is not None and not _BUCKET.fullmatch(bucket):
        raise ConfigError(
            f"bucket={bucket!r} is not a bucket name: expected 3 to 63 lower-case letters, digits, '.' and '-'."
        )


def _check_key(key: str | None) -> None:
    if key is not None and not _KEY.fullmatch(key):
        raise ConfigError(
            f"kms_key={key!r} is neither the ID nor the ARN of a key, 'arn:aws:kms:<region>:<account>:key/<id>'. An "
            "alias cannot encrypt a job's volume."
        )


def _check_network(subnets: tuple[str, ...] | None, security_group_ids: tuple[str, ...] | None) -> None:
    given = {"subnets": subnets, "security_group_ids": security_group_ids}
    if (subnets is None) is not (security_group_ids is None):
        missing = next(name for name, values in given.items() if values is None)
        raise ConfigError(f"{missing} is missing: a VPC needs both subnets and security_group_ids.")
    for name, values in given.items():
        start, most = _NETWORK[name]
        if values is not None and not 0 < len(values) <= most:
            raise ConfigError(f"{name} has {len(values)} entries; expected 1 to {most}.")
        for value in values or ():
            if not isinstance(value, str) or not re.fullmatch(rf"{start}[0-9a-z]+", value):
                raise ConfigError(
                    f"{name} has {value!r}; expected a list of IDs, such as ['{start}0123456789abcdef0']."
                )


def check_tags(tags: Mapping[str, str]) -> None:
    """
    Check that AWS accepts these tags, besides the ones that this library adds.

    Raises:
        ConfigError: If there are too many, or one is too long or has a character that AWS does not allow.
    """
    if len(tags) > _MAX_TAGS:
        raise ConfigError(
            f"{len(tags)} tags; expected at most {_MAX_TAGS}: SageMaker allows 50, and four are reserved."
        )
    for key, value in tags.items():
        for what, text, most in (("key", key, _MAX_TAG_KEY), ("value", value, _MAX_TAG_VALUE)):
            if not isinstance(text, str) or len(text) > most or not _TAG_TEXT.fullmatch(text):
                raise ConfigError(
                    f"The {what} {text!r} of tag {key!r} is not allowed: expected at most {most} letters, digits, "
                    "spaces and any of _.:/=+-@."
                )
        if not key or key.lower().startswith("aws:"):
            raise ConfigError(
                f"The tag key {key!r} is not allowed: it is empty, or begins with 'aws:', which AWS reserves."
            )
