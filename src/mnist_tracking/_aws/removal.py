"""Detach and delete resources. What is already gone is not an error."""

from collections.abc import Iterable
from functools import partial

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import exists, is_missing, translated
from mnist_tracking._aws.experiments import PAGES, component_names
from mnist_tracking._aws.tags import is_ours
from mnist_tracking.errors import ServiceError


def delete_named(account: Account, kind: str, name: str) -> bool:
    """Delete the trial, endpoint config or the like of that name, and return whether it existed."""
    call = getattr(account.client("sagemaker"), f"delete_{kind.replace(' ', '_')}")
    return exists(lambda: call(**{f"{kind.title().replace(' ', '')}Name": name}))


def detach(account: Account, trial: str, component: str) -> None:
    """Detach a component from a trial."""
    client = account.client("sagemaker")
    exists(lambda: client.disassociate_trial_component(TrialName=trial, TrialComponentName=component))


def delete_trial(account: Account, name: str) -> None:
    """Delete a trial; its components stay."""
    for component in component_names(account, TrialName=name):
        detach(account, name, component)
    delete_named(account, "trial", name)


def delete_artifacts(account: Account, component: str, uris: Iterable[str]) -> list[str]:
    """
    Unlink a component's artifacts, and delete those that this library created and nothing else uses.

    Args:
        account: Where the component is.
        component: The component's ARN.
        uris: The files that only this component refers to. Their artifacts are found even if a killed program has not
            linked them yet, or has unlinked them already.

    Returns:
        The ARNs of the deleted artifacts.

    Raises:
        ServiceError: If one cannot be deleted; it is still linked to the component then, and found by it again.
    """
    linked: dict[str, list[_Link]] = {}
    for link in _links(account, component):
        if link.artifact:
            linked.setdefault(link.artifact, []).append(link)
    for uri in uris:
        for artifact in _artifacts_of(account, uri):
            linked.setdefault(artifact, [])
    return [artifact for artifact, links in linked.items() if _unlink(account, artifact, links)]


def _artifacts_of(account: Account, uri: str) -> list[str]:
    with translated():
        pages = account.client("sagemaker").get_paginator("list_artifacts").paginate(SourceUri=uri)
        return [found["ArtifactArn"] for page in pages for found in page["ArtifactSummaries"]]


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


def _links(account: Account, arn: str) -> list[_Link]:
    """Return the links from and to a resource; none if it is gone."""
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
    """Remove links of an artifact, and return whether the artifact was deleted with them."""
    client = account.client("sagemaker")
    for link in links:
        exists(partial(client.delete_association, **link.ends))
    try:
        if not is_ours(account, artifact) or set(_links(account, artifact)).difference(links):
            return False
        return exists(lambda: client.delete_artifact(ArtifactArn=artifact))
    except ServiceError:
        with translated():
            for link in links:
                client.add_association(**link.ends, AssociationType=link.kind)
        raise
