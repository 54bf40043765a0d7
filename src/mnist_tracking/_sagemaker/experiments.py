"""Experiments, trials and the preprocessing component, through smexperiments with our own session and client."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from mnist_tracking._sagemaker.errors import is_missing, is_taken, translate, translated
from mnist_tracking._sagemaker.sdk import quiet
from mnist_tracking.errors import AlreadyExistsError, NotFoundError
from mnist_tracking.records import Scalar

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


def aws_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Convert tags to the form that AWS takes."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def load_or_create_experiment(
    workspace: "Workspace", name: str, *, description: str | None, tags: Mapping[str, str], create: bool
) -> None:
    """
    Make sure that an experiment exists. An existing one keeps its description.

    Raises:
        AlreadyExistsError: If it exists and *create* asks for a new one.
    """
    client = workspace.client("sagemaker")
    with quiet():
        from smexperiments.experiment import Experiment

        try:
            Experiment.create(
                experiment_name=name,
                description=description,
                sagemaker_boto_client=client,
                tags=aws_tags(tags),
            )
        except ClientError as error:
            if not is_taken(error):
                raise translate(error) from error
            if create:
                raise AlreadyExistsError("experiment", name) from error


def create_trial(workspace: "Workspace", name: str, experiment: str, tags: Mapping[str, str]) -> None:
    """
    Create a trial.

    Raises:
        AlreadyExistsError: If the name is taken.
    """
    with quiet():
        from smexperiments.trial import Trial

        try:
            Trial.create(
                experiment_name=experiment,
                trial_name=name,
                sagemaker_boto_client=workspace.client("sagemaker"),
                tags=aws_tags(tags),
            )
        except ClientError as error:
            if is_taken(error):
                raise AlreadyExistsError("trial", name) from error
            raise translate(error) from error


def delete_trial(workspace: "Workspace", name: str) -> None:
    """Take back a trial whose job could not be started; its components stay."""
    client = workspace.client("sagemaker")
    with translated():
        for component in client.list_trial_components(TrialName=name)["TrialComponentSummaries"]:
            client.disassociate_trial_component(TrialName=name, TrialComponentName=component["TrialComponentName"])
        client.delete_trial(TrialName=name)


def attach(workspace: "Workspace", trial: str, component: str) -> None:
    """Add a component to a trial; again is fine."""
    with translated():
        workspace.client("sagemaker").associate_trial_component(TrialName=trial, TrialComponentName=component)


def record_step(
    workspace: "Workspace",
    name: str,
    display_name: str,
    *,
    parameters: Mapping[str, Scalar],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    tags: Mapping[str, str],
) -> None:
    """Record a finished step as a component, through the real Tracker."""
    client = workspace.client("sagemaker")
    with quiet(), translated():
        from smexperiments.tracker import Tracker
        from smexperiments.trial_component import TrialComponent

        TrialComponent.create(
            trial_component_name=name,
            display_name=display_name,
            sagemaker_boto_client=client,
            tags=aws_tags(tags),
        )
        with Tracker.load(
            trial_component_name=name, sagemaker_boto_client=client, boto3_session=workspace.boto_session
        ) as tracker:
            tracker.log_parameters(dict(parameters))
            for key, uri in inputs.items():
                tracker.log_input(key, uri, media_type="s3/uri")
            for key, uri in outputs.items():
                tracker.log_output(key, uri)


def jobs_of(workspace: "Workspace", trial: str) -> list[str]:
    """Return the names of a trial's training jobs, in order of creation; unlike Search, this list is never behind."""
    order = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    with translated():
        pages = workspace.client("sagemaker").get_paginator("list_trial_components").paginate(TrialName=trial, **order)
        found = [component for page in pages for component in page["TrialComponentSummaries"]]
    jobs = [c for c in found if ":training-job/" in c.get("TrialComponentSource", {}).get("SourceArn", "")]
    return [component["TrialComponentName"].removesuffix("-aws-training-job") for component in jobs]


def require_trial(workspace: "Workspace", name: str) -> str:
    """
    Return the name of a trial's experiment.

    Raises:
        NotFoundError: If there is no such trial; it names the nearest ones that there are.
    """
    client = workspace.client("sagemaker")
    try:
        return str(client.describe_trial(TrialName=name)["ExperimentName"])
    except ClientError as error:
        if not is_missing(error) and error.response["Error"]["Code"] != "ValidationException":
            raise translate(error) from error
        with translated():
            known = [t["TrialName"] for t in client.list_trials(MaxResults=100)["TrialSummaries"]]
        raise NotFoundError("trial", name, nearest(name, known)) from error


def require_experiment(workspace: "Workspace", name: str) -> None:
    """
    Make sure that an experiment exists.

    Raises:
        NotFoundError: If there is no such experiment; it names the nearest ones that there are.
    """
    client = workspace.client("sagemaker")
    try:
        client.describe_experiment(ExperimentName=name)
    except ClientError as error:
        if not is_missing(error) and error.response["Error"]["Code"] != "ValidationException":
            raise translate(error) from error
        with translated():
            known = [e["ExperimentName"] for e in client.list_experiments(MaxResults=100)["ExperimentSummaries"]]
        raise NotFoundError("experiment", name, nearest(name, known)) from error


def nearest(name: str, known: list[str], most: int = 5) -> list[str]:
    """Return the names most like *name* first, and others up to *most*."""
    import difflib

    close = difflib.get_close_matches(name, known, n=most, cutoff=0.4)
    return [*close, *(other for other in known if other not in close)][:most]
