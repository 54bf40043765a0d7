"""The bucket: found, made where that is allowed, and never somebody else's."""

from typing import TYPE_CHECKING, Any

from mnist_tracking._aws.errors import translated
from mnist_tracking.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


def ensure_bucket(workspace: "Workspace", *, create: bool) -> str:
    """
    Make sure that the workspace's bucket is there, is ours and is in the right region, and return its name.

    Raises:
        ConfigError: If it is missing and may not be created, belongs to another account, or lies in another region.
    """
    s3, name, region, account_id = workspace.client("s3"), workspace.bucket_name, workspace.region, workspace.account_id
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
        return name
    where = response.get("BucketRegion") or region
    if where != region:
        raise ConfigError(f"The bucket {name!r} is in {where}, the workspace in {region}. They must be the same.")
    return name


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
