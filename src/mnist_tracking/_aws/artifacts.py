"""Delete the lineage artifacts that the Tracker made of a component's files, and what links them to it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking._aws.removal import PAGES, is_ours, meets
from mnist_tracking.errors import ServiceError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


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


def delete_artifacts(workspace: "Workspace", component: str) -> list[str]:
    """
    Unlink the artifacts of the component of that ARN, and delete those that this library made and nothing else needs.

    Returns:
        The ARNs of those that were deleted.

    Raises:
        ServiceError: If something cannot be deleted; it is still linked to the component then, and found again by it.
    """
    linked: dict[str, list[_Link]] = {}
    for link in _links(workspace, component):
        if link.artifact:
            linked.setdefault(link.artifact, []).append(link)
    return [artifact for artifact, links in linked.items() if _unlink(workspace, artifact, links)]


def _links(workspace: "Workspace", arn: str) -> list[_Link]:
    """Return the links from and to something; what is gone has none."""
    lists = workspace.client("sagemaker").get_paginator("list_associations")
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


def _unlink(workspace: "Workspace", artifact: str, links: Iterable[_Link]) -> bool:
    """Take the links away, and return whether the artifact is gone with them."""
    client = workspace.client("sagemaker")
    for link in links:
        _delete_link(client, link)
    try:
        if not is_ours(workspace, artifact) or set(_links(workspace, artifact)).difference(links):
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
