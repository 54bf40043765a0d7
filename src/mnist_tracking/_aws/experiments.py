"""Experiments, trials and the preprocessing component, through smexperiments with our own session and client."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import (
    OBJECTIVE_TAG,
    TRAINING,
    component_from_aws,
    experiment_from_aws,
    tags_from_aws,
    tags_to_aws,
)
from mnist_tracking._aws.errors import is_missing, is_taken, translated
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.checks import require_name
from mnist_tracking._values.records import Component, ExperimentSummary, ListedTrial
from mnist_tracking._values.specs import Objective
from mnist_tracking.errors import AlreadyExistsError, ConfigError, NotFoundError, ServiceError

_MAX_DESCRIPTION = 3072
_TAG_VALUE = re.compile(r"[\w .:/=+@-]{1,256}")


def add_tags(account: Account, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags to what exists."""
    with translated():
        account.client("sagemaker").add_tags(ResourceArn=arn, Tags=tags_to_aws(tags))


def load_or_create_experiment(
    account: Account, name: str, *, description: str | None, tags: Mapping[str, str], create: bool
) -> None:
    """
    Make sure that an experiment exists. An existing one keeps its description.

    Raises:
        ConfigError: If the description is refused.
        AlreadyExistsError: If it exists and *create* asks for a new one.
    """
    if description is not None and not isinstance(description, str):
        raise ConfigError(f"description={description!r}; a text is needed.")
    if description is not None and len(description) > _MAX_DESCRIPTION:
        raise ConfigError(f"The description has {len(description)} characters; SageMaker takes {_MAX_DESCRIPTION}.")
    client = account.client("sagemaker")
    with quiet(), translated():
        from smexperiments.experiment import Experiment

        try:
            Experiment.create(
                experiment_name=name,
                description=description,
                sagemaker_boto_client=client,
                tags=tags_to_aws(tags),
            )
        except ClientError as error:
            if not is_taken(error):
                raise
            if create:
                raise AlreadyExistsError("experiment", name) from error


def remember_objective(account: Account, experiment: str, objective: Objective) -> None:
    """
    Tag an experiment with what its trials are ranked by; the objective of a later job replaces that of an earlier one.

    Nothing is stored for a metric whose name a tag cannot hold. Where tags may not be added, a warning says so.
    """
    value = f"{objective.goal} {objective.statistic} {objective.metric}"
    if not _TAG_VALUE.fullmatch(value) or objective == stored_objective(account, experiment):
        return
    try:
        add_tags(account, _describe(account, experiment)["ExperimentArn"], {OBJECTIVE_TAG: value})
    except ServiceError as error:
        warnings.warn(f"The objective of {experiment!r} is not stored with it: {error}", stacklevel=2)


def stored_objective(account: Account, experiment: str) -> Objective | None:
    """
    Return the objective of the jobs of an experiment, if it was stored.

    Raises:
        NotFoundError: If there is no such experiment; it names the nearest ones that there are.
    """
    goal, _, rest = read_experiment(account, experiment).tags.get(OBJECTIVE_TAG, "").partition(" ")
    statistic, _, metric = rest.partition(" ")
    try:
        return Objective(metric, goal=goal, statistic=statistic)  # type: ignore[arg-type]  # checked by Objective
    except ConfigError:
        return None  # no tag, or somebody else's


def create_trial(account: Account, name: str, experiment: str, tags: Mapping[str, str]) -> None:
    """
    Create a trial.

    Raises:
        AlreadyExistsError: If the name is taken.
        NotFoundError: If the experiment is gone.
    """
    with quiet(), translated():
        from smexperiments.trial import Trial

        try:
            Trial.create(
                experiment_name=experiment,
                trial_name=name,
                sagemaker_boto_client=account.client("sagemaker"),
                tags=tags_to_aws(tags),
            )
        except ClientError as error:
            if is_taken(error):
                raise AlreadyExistsError("trial", name) from error
            if is_missing(error):
                raise NotFoundError("experiment", experiment) from error
            raise


def delete_trial(account: Account, name: str) -> None:
    """Take back a trial whose job could not be started; its components stay."""
    client = account.client("sagemaker")
    with translated():
        pages = client.get_paginator("list_trial_components").paginate(TrialName=name)
        for component in [component for page in pages for component in page["TrialComponentSummaries"]]:
            client.disassociate_trial_component(TrialName=name, TrialComponentName=component["TrialComponentName"])
        client.delete_trial(TrialName=name)


def attach(account: Account, trial: str, component: str) -> None:
    """Add a component to a trial; again is fine."""
    with translated():
        account.client("sagemaker").associate_trial_component(TrialName=trial, TrialComponentName=component)


def tags_of_trial(account: Account, name: str) -> dict[str, str]:
    """Return what a trial is tagged with."""
    client = account.client("sagemaker")
    with translated():
        arn = client.describe_trial(TrialName=name)["TrialArn"]
        pages = client.get_paginator("list_tags").paginate(ResourceArn=arn)
        return tags_from_aws([tag for page in pages for tag in page["Tags"]])


def jobs_of(account: Account, trial: str) -> list[str]:
    """Return the names of a trial's training jobs, in order of creation."""
    jobs = [summary for summary in _summaries_of(account, trial) if _is_job(summary)]
    return [summary["TrialComponentName"].removesuffix("-aws-training-job") for summary in jobs]


def training_of(account: Account, trial: str, name: str | None = None) -> Component | None:
    """Read the component that recorded a trial's training: the one of that name, or the last that is one."""
    if name is None:
        found = [s for s in _summaries_of(account, trial) if _is_job(s) or s.get("DisplayName") == TRAINING]
        if not found:
            return None
        name = found[-1]["TrialComponentName"]
    return read_component(account, name)


def read_component(account: Account, name: str) -> Component:
    """Read one component, without its trials and tags; unlike Search, this is never behind."""
    with translated():
        return component_from_aws(account.client("sagemaker").describe_trial_component(TrialComponentName=name))


def component_names_of(account: Account, trial: str) -> list[str]:
    """Return the names of a trial's components, in order of creation."""
    return [summary["TrialComponentName"] for summary in _summaries_of(account, trial)]


def _summaries_of(account: Account, trial: str) -> list[dict[str, Any]]:
    """List a trial's components in order of creation; unlike Search, this list is never behind."""
    order = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    with translated():
        pages = account.client("sagemaker").get_paginator("list_trial_components").paginate(TrialName=trial, **order)
        return [component for page in pages for component in page["TrialComponentSummaries"]]


def _is_job(summary: Mapping[str, Any]) -> bool:
    return ":training-job/" in summary.get("TrialComponentSource", {}).get("SourceArn", "")


def trials_of(account: Account, experiment: str) -> dict[str, str]:
    """Return the names and the ARNs of an experiment's trials."""
    with translated():
        pages = (
            account.client("sagemaker").get_paginator("list_trials").paginate(ExperimentName=experiment, MaxResults=100)
        )
        return {trial["TrialName"]: trial["TrialArn"] for page in pages for trial in page["TrialSummaries"]}


def require_trial(account: Account, name: str) -> ListedTrial:
    """
    Return a trial as it was created, without its tags.

    Raises:
        NotFoundError: If there is no such trial; it names the nearest ones that there are.
    """
    client = account.client("sagemaker")
    with translated():
        try:
            found = client.describe_trial(TrialName=name)
        except ClientError as error:
            if not _is_no_such_name(error):
                raise
            known = [t["TrialName"] for t in client.list_trials(MaxResults=100)["TrialSummaries"]]
            raise NotFoundError("trial", name, nearest(name, known)) from error
    return ListedTrial(found["TrialName"], found["ExperimentName"], found["CreationTime"])


def require_experiment(account: Account, name: str) -> None:
    """
    Make sure that an experiment exists.

    Raises:
        ConfigError: If that cannot be a name.
        NotFoundError: If there is no such experiment; it names the nearest ones that there are.
    """
    _describe(account, name)


def read_experiment(account: Account, name: str) -> ExperimentSummary:
    """
    Read one experiment; unlike Search, this is never behind.

    Raises:
        ConfigError: If that cannot be a name.
        NotFoundError: If there is no such experiment; it names the nearest ones that there are.
    """
    found = _describe(account, name)
    with translated():
        tags = account.client("sagemaker").list_tags(ResourceArn=found["ExperimentArn"])
    return experiment_from_aws({**found, **tags})


def _describe(account: Account, name: str) -> dict[str, Any]:
    require_name("an experiment", name)
    client = account.client("sagemaker")
    with translated():
        try:
            found: dict[str, Any] = client.describe_experiment(ExperimentName=name)
        except ClientError as error:
            if not _is_no_such_name(error):
                raise
            known = [e["ExperimentName"] for e in client.list_experiments(MaxResults=100)["ExperimentSummaries"]]
            raise NotFoundError("experiment", name, nearest(name, known)) from error
    return found


def _is_no_such_name(error: ClientError) -> bool:
    """Whether nothing has that name, be it that nothing could have it."""
    return is_missing(error) or error.response["Error"]["Code"] == "ValidationException"


def nearest(name: str, known: list[str], most: int = 5) -> list[str]:
    """Return the names most like *name* first, and others up to *most*."""
    import difflib

    close = difflib.get_close_matches(name, known, n=most, cutoff=0.4)
    return [*close, *(other for other in known if other not in close)][:most]
