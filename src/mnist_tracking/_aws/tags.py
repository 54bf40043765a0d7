"""The tags of resources: read, added, and what they tell about who created a resource."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import CREATED_BY, tags_from_aws, tags_to_aws
from mnist_tracking._aws.errors import is_missing_or_invalid, translated
from mnist_tracking.errors import ServiceError

_LONGEST = 256


def tags_of(account: Account, arn: str) -> dict[str, str]:
    """Return all tags of a resource."""
    with translated():
        pages = account.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
        return tags_from_aws(tag for page in pages for tag in page["Tags"])


def is_ours(account: Account, arn: str) -> bool:
    """Whether this library created a resource that still exists."""
    return tags_if_ours(account, arn) is not None


def tags_if_ours(account: Account, arn: str) -> dict[str, str] | None:
    """Return the tags of a resource that this library created; None if it does not exist, or another tool did."""
    try:
        tags = tags_of(account, arn)
    except ServiceError as error:
        if is_missing_or_invalid(error):  # aws/amazon-sagemaker-feedback, issue 108
            return None
        raise
    return tags if CREATED_BY in tags else None


def to_tag(text: str) -> str:
    """
    Return text as the value of a tag, which may have letters, digits, spaces and ``_.:/=+-@``: the rest is escaped.

    What does not fit into the 256 characters of a tag is cut off.

    Example:
        >>> to_tag("pruned, at 50%"), from_tag("pruned=2C at 50=25")
        ('pruned=2C at 50=25', 'pruned, at 50%')
    """
    escaped = quote(text, safe=" :/+@", errors="replace").replace("~", "%7E").replace("%", "=")
    return escaped if len(escaped) <= _LONGEST else re.sub("=.?$", "", escaped[:_LONGEST])


def from_tag(value: str) -> str:
    """Return the text of a value that `to_tag` has made."""
    return unquote(value.replace("=", "%"), errors="ignore")


def add_tags(account: Account, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags to a resource."""
    with translated():
        account.client("sagemaker").add_tags(ResourceArn=arn, Tags=tags_to_aws(tags))
