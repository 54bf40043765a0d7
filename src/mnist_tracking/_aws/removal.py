"""Take records apart and delete them; what is gone already is fine."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mnist_tracking._aws.convert import CREATED_BY
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking.errors import ServiceError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

PAGES = {"PageSize": 100}  # as large as they can be; unless told, they have 10


def delete_named(workspace: "Workspace", kind: str, name: str) -> bool:
    """Delete the trial, the endpoint config or the like of that name, and return whether it was there."""
    call = getattr(workspace.client("sagemaker"), f"delete_{kind.replace(' ', '_')}")
    return meets(lambda: call(**{f"{kind.title().replace(' ', '')}Name": name}))


def take_out(workspace: "Workspace", trial: str, component: str) -> None:
    """Take a component out of a trial."""
    client = workspace.client("sagemaker")
    meets(lambda: client.disassociate_trial_component(TrialName=trial, TrialComponentName=component))


def is_ours(workspace: "Workspace", arn: str) -> bool:
    """Whether this library made something that is there; what is gone has no tags."""
    try:
        with translated():
            pages = workspace.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
            return any(tag["Key"] == CREATED_BY for page in pages for tag in page["Tags"])
    except ServiceError as error:
        if is_missing(error) or error.code == "ValidationException":  # aws/amazon-sagemaker-feedback, issue 108
            return False
        raise


def trials_with(workspace: "Workspace", component: str) -> list[str]:
    """Return the trials that a component is in; unlike Search, this list is never behind."""
    with translated():
        pages = (
            workspace.client("sagemaker")
            .get_paginator("list_trials")
            .paginate(TrialComponentName=component, PaginationConfig=PAGES)
        )
        return [trial["TrialName"] for page in pages for trial in page["TrialSummaries"]]


def components_in(workspace: "Workspace", **scope: str) -> list[str]:
    """Return the components of a trial (``TrialName=``) or an experiment; unlike Search, this list is never behind."""
    with translated():
        pages = (
            workspace.client("sagemaker")
            .get_paginator("list_trial_components")
            .paginate(**scope, PaginationConfig=PAGES)
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
