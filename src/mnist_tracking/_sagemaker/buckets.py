"""The bucket: found, made where that is allowed, and never somebody else's."""

from typing import Any

from mnist_tracking._sagemaker.errors import translated
from mnist_tracking.errors import ConfigError, ServiceError


def ensure_bucket(s3: Any, name: str, *, region: str, account_id: str, create: bool) -> None:
    """
    Make sure that a bucket is there, is ours and is in the right region.

    Raises:
        ConfigError: If it is missing and may not be created, belongs to another account, or lies in another region.
    """
    try:
        with translated():
            response = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account_id)
    except ServiceError as error:
        if error.code in ("403", "AccessDenied"):
            raise ConfigError(
                f"The bucket {name!r} belongs to another account, or its policy keeps account {account_id} out. "
                "Give the name of a bucket of yours."
            ) from error
        if error.code not in ("404", "NoSuchBucket"):
            raise
        if not create:
            raise ConfigError(f"The bucket {name!r} does not exist. Create it, or pass create_bucket=True.") from error
        _create(s3, name, region)
        return
    where = response.get("BucketRegion") or region
    if where != region:
        raise ConfigError(f"The bucket {name!r} is in {where}, the workspace in {region}. They must be the same.")


def _create(s3: Any, name: str, region: str) -> None:
    elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        with translated():
            s3.create_bucket(Bucket=name, **elsewhere)
    except ServiceError as error:
        if error.code == "BucketAlreadyOwnedByYou":
            return
        if error.code == "BucketAlreadyExists":
            raise ConfigError(f"The bucket name {name!r} is taken by another account. Choose another name.") from error
        raise
