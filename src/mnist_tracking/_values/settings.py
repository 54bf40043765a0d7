"""What is said once and holds for everything that a workspace makes, checked before anything is sent."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

import attrs

from mnist_tracking.errors import ConfigError

__all__ = ["Settings"]

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY_ID = r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_KEY = re.compile(rf"(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{{12}}:key/)?{_KEY_ID}")
_NETWORK = {"subnets": ("subnet-", 16), "security_group_ids": ("sg-", 5)}
_TAG_TEXT = re.compile(r"[\w .:/=+@-]*")
_MAX_TAGS = 47  # SageMaker takes 50, of which this library needs three
_MAX_TAG_KEY, _MAX_TAG_VALUE = 128, 256


def _listed(values: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return a tuple; one of a single value, which is a mistake, is refused with the rest."""
    if values is None:
        return None
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else (values,)


def copied_tags(tags: Mapping[str, str] | None) -> Mapping[str, str]:
    """
    Return tags as a mapping of this library's own; none are none.

    Raises:
        ConfigError: If they are no mapping.
    """
    if tags is not None and not isinstance(tags, Mapping):
        raise ConfigError(f"tags={tags!r}; a mapping is needed, such as {{'team': 'vision'}}.")
    return dict(tags or {})


class SettingsOptions(TypedDict, total=False):
    """The keywords that `Workspace.aws` and `Workspace.embedded` both take; `Settings` says what they mean."""

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


@attrs.frozen(kw_only=True)
class Settings:
    """
    What `Workspace.aws` and `Workspace.embedded` were told. None leaves it to the SDK's config files, then to AWS.

    Attributes:
        role: The ARN of the role that jobs and models run under.
        bucket: The bucket.
        prefix: Where in the bucket everything goes.
        create_bucket: Whether a missing bucket is made.
        kms_key: The key that uploads, output and volumes are encrypted with.
        subnets: The subnets that jobs and models run in.
        security_group_ids: Their security groups.
        network_isolation: Whether jobs and models have no network at all.
        encrypt_traffic: Whether the traffic between the hosts of a job is encrypted.
        tags: Put on everything that is made.

    Raises:
        ConfigError: If AWS would refuse one of them.
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

    def __attrs_post_init__(self) -> None:
        for name in ("role", "bucket", "prefix", "kms_key"):
            self._check_type(name, str, "a text")
        for name in ("create_bucket", "network_isolation", "encrypt_traffic"):
            self._check_type(name, bool, "True or False")
        _check_role(self.role)
        _check_bucket(self.bucket)
        _check_key(self.kms_key)
        _check_network(self.subnets, self.security_group_ids)
        check_tags(self.tags)

    def _check_type(self, name: str, kind: type, said: str) -> None:
        value = getattr(self, name)
        if value is not None and not isinstance(value, kind):
            raise ConfigError(f"{name}={value!r}; {said} is needed.")


def _check_role(role: str | None) -> None:
    if role is not None and not _ROLE.fullmatch(role):
        raise ConfigError(f"role={role!r} is not the ARN of a role. Give 'arn:aws:iam::<account>:role/<name>'.")


def _check_bucket(bucket: str | None) -> None:
    if bucket is not None and not _BUCKET.fullmatch(bucket):
        raise ConfigError(
            f"bucket={bucket!r} is not the name of a bucket: 3 to 63 lower-case letters, digits, '.' and '-'."
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
        raise ConfigError(f"{missing} is missing: a VPC takes both subnets and security_group_ids.")
    for name, values in given.items():
        start, most = _NETWORK[name]
        if values is not None and not 0 < len(values) <= most:
            raise ConfigError(f"{name} has {len(values)} entries; possible are 1 to {most}.")
        for value in values or ():
            if not isinstance(value, str) or not re.fullmatch(rf"{start}[0-9a-z]+", value):
                raise ConfigError(
                    f"{name} has {value!r}; a list of IDs is needed, such as ['{start}0123456789abcdef0']."
                )


def check_tags(tags: Mapping[str, str]) -> None:
    """
    Check that AWS takes these tags beside those that this library adds.

    Raises:
        ConfigError: If there are too many, or one is too long or has other characters than AWS takes.
    """
    if len(tags) > _MAX_TAGS:
        raise ConfigError(f"{len(tags)} tags; possible are {_MAX_TAGS}, since SageMaker takes 50 and three are needed.")
    for key, value in tags.items():
        for what, text, most in (("key", key, _MAX_TAG_KEY), ("value", value, _MAX_TAG_VALUE)):
            if not isinstance(text, str) or len(text) > most or not _TAG_TEXT.fullmatch(text):
                raise ConfigError(
                    f"The {what} {text!r} of tag {key!r} is refused: a text of at most {most} letters, digits, spaces "
                    "and any of _.:/=+-@ is needed."
                )
        if not key or key.lower().startswith("aws:"):
            raise ConfigError(
                f"The tag key {key!r} is refused: it is empty, or begins with 'aws:', which is AWS's own."
            )
