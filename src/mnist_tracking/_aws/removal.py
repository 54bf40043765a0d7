"""Take records apart and delete them; what is gone already is fine."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import CREATED_BY
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking.errors import ServiceError

PAGES = {"PageSize": 100}  # as large as they can be; unless told, they have 10


def delete_named(account: Account, kind: str, name: str) -> bool:
    """Delete the trial, the endpoint config or the like of that name, and return whether it was there."""
    call = getattr(account.client("sagemaker"), f"delete_{kind.replace(' ', '_')}")
    return meets(lambda: call(**{f"{kind.title().replace(' ', '')}Name": name}))


def take_out(account: Account, trial: str, component: str) -> None:
    """Take a component out of a trial."""
    client = account.client("sagemaker")
    meets(lambda: client.disassociate_trial_component(TrialName=trial, TrialComponentName=component))


def is_ours(account: Account, arn: str) -> bool:
    """Whether this library made something that is there; what is gone has no tags."""
    try:
        with translated():
            pages = account.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
            return any(tag["Key"] == CREATED_BY for page in pages for tag in page["Tags"])
    except ServiceError as error:
        if is_missing(error) or error.code == "ValidationException":  # aws/amazon-sagemaker-feedback, issue 108
            return False
        raise


def trials_with(account: Account, component: str) -> list[str]:
    """Return the trials that a component is in; unlike Search, this list is never behind."""
    with translated():
        pages = (
            account.client("sagemaker")
            .get_paginator("list_trials")
            .paginate(TrialComponentName=component, PaginationConfig=PAGES)
        )
        return [trial["TrialName"] for page in pages for trial in page["TrialSummaries"]]


def components_in(account: Account, **scope: str) -> list[str]:
    """Return the components of a trial (``TrialName=``) or an experiment; unlike Search, this list is never behind."""
    with translated():
        pages = (
            account.client("sagemaker").get_paginator("list_trial_components").paginate(**scope, PaginationConfig=PAGES)
        )
        return [found["TrialComponentName"] for page in pages for found in page["TrialComponentSummaries"]]


def meets(call: Callable[[], object]) -> bool:
    """Make a call, and return whether what it is about exists."""
    try:
        with translated():
            call()
    except ServiceError as error:
        if not is_missing(error):
            raise
        return False
    return True


@attrs.frozen
class _Link:
    source: str
    destination: str
    kind: str

    @property
    def artifact(self) -> str | None:
        """The end that is an artifact, if one is."""
        return next((arn for arn in (self.destination, self.source) if ":artifact/" in arn), None)

    @property
    def ends(self) -> dict[str, str]:
        return {"SourceArn": self.source, "DestinationArn": self.destination}


def delete_artifacts(account: Account, component: str) -> list[str]:
    """
    Unlink the artifacts of the component of that ARN, and delete those that this library made and nothing else needs.

    Returns:
        The ARNs of those that were deleted.

    Raises:
        ServiceError: If something cannot be deleted; it is still linked to the component then, and found again by it.
    """
    linked: dict[str, list[_Link]] = {}
    for link in _links(account, component):
        if link.artifact:
            linked.setdefault(link.artifact, []).append(link)
    return [artifact for artifact, links in linked.items() if _unlink(account, artifact, links)]


def _links(account: Account, arn: str) -> list[_Link]:
    """Return the links from and to something; what is gone has none."""
    lists = account.client("sagemaker").get_paginator("list_associations")
    try:
        with translated():
            return [
                _Link(found["SourceArn"], found["DestinationArn"], found.get("AssociationType", "AssociatedWith"))
                for end in ("SourceArn", "DestinationArn")
                for page in lists.paginate(**{end: arn}, PaginationConfig=PAGES)
                for found in page["AssociationSummaries"]
            ]
    except ServiceError as error:
        if is_missing(error):
            return []
        raise


def _unlink(account: Account, artifact: str, links: Iterable[_Link]) -> bool:
    """Take the links away, and return whether the artifact is gone with them."""
    client = account.client("sagemaker")
    for link in links:
        _delete_link(client, link)
    try:
        if not is_ours(account, artifact) or set(_links(account, artifact)).difference(links):
            return False
        return meets(lambda: client.delete_artifact(ArtifactArn=artifact))
    except ServiceError:
        for link in links:
            _put_back(client, link)
        raise


def _delete_link(client: Any, link: _Link) -> None:
    meets(lambda: client.delete_association(**link.ends))


def _put_back(client: Any, link: _Link) -> None:
    with translated():
        client.add_association(**link.ends, AssociationType=link.kind)
