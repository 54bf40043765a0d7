"""Experiments, trials and the components attached to them: created and read."""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import attrs
from botocore.exceptions import ClientError

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import (
    JOB_TAG,
    OBJECTIVE_TAG,
    TRAINING,
    experiment_from_aws,
    metadata_to_aws,
    tags_to_aws,
)
from mnist_tracking._aws.errors import described, if_exists, is_missing, is_taken, translated
from mnist_tracking._aws.hyperparameters import exact_component
from mnist_tracking._aws.sdk import quiet_experiments
from mnist_tracking._aws.tags import add_tags, tags_of
from mnist_tracking._aws.waiting import is_settled
from mnist_tracking._values.checks import require_name
from mnist_tracking._values.records import Component, ExperimentSummary, ListedTrial, Status
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.text import short_repr
from mnist_tracking._values.warning import warn
from mnist_tracking.errors import AccessDeniedError, AlreadyExistsError, ConfigError, NotFoundError, ServiceError

PAGES = {"PageSize": 100}  # the maximum; the default is 10
FIRST_100 = {**PAGES, "MaxItems": 100}  # over as many pages as it takes: AWS may return an empty one
_MAX_DESCRIPTION = 3072
_TAG_VALUE = re.compile(r"[\w .:/=+@-]{1,256}")


def load_or_create_experiment(
    account: Account,
    name: str,
    *,
    description: str | None,
    objective: Objective | None,
    tags: Mapping[str, str],
    create: bool,
) -> tuple[str, bool]:
    """
    Make sure that an experiment exists. An existing one keeps its description, and its objective.

    Returns:
        Its name, and whether it was created. The name of an existing experiment may differ in case from the given one:
        names that differ in case alone are one experiment.

    Raises:
        ConfigError: If the description is not a string, or too long.
        AlreadyExistsError: If it exists, and *create* is true.
    """
    if description is not None and not isinstance(description, str):
        raise ConfigError(f"description={short_repr(description)}; expected a string.")
    if description is not None and len(description) > _MAX_DESCRIPTION:
        raise ConfigError(
            f"The description has {len(description)} characters; SageMaker allows at most {_MAX_DESCRIPTION}."
        )
    with quiet_experiments(), translated():
        from smexperiments.experiment import Experiment

        try:
            Experiment.create(
                experiment_name=name,
                description=description,
                sagemaker_boto_client=account.client("sagemaker"),
                tags=tags_to_aws({**tags, **(_objective_tag(objective) if objective else {})}),
            )
        except ClientError as error:
            if not is_taken(error):
                raise
            if create:
                raise AlreadyExistsError("experiment", name) from error
            return require_experiment(account, name), False
    return name, True


def create_trial(
    account: Account, name: str, experiment: str, tags: Mapping[str, str], code: Mapping[str, Any]
) -> None:
    """
    Create a trial.

    Args:
        account: Where to create it.
        name: Its name.
        experiment: Its experiment.
        tags: Its tags.
        code: The provenance of the code that it trains, from `code_in` or `program_code`.

    Raises:
        AlreadyExistsError: If the name is taken.
        NotFoundError: If the experiment does not exist.
    """
    with translated():
        try:
            account.client("sagemaker").create_trial(
                TrialName=name,
                ExperimentName=experiment,
                Tags=tags_to_aws(tags),
                MetadataProperties=metadata_to_aws(code),
            )
        except ClientError as error:
            if is_taken(error):
                raise AlreadyExistsError("trial", name) from error
            if is_missing(error):
                raise NotFoundError("experiment", experiment) from error
            raise


def claimed_job(account: Account, trial: str, experiment: str) -> str | None:
    """Return the name of the training job that a trial of an experiment was created for; None without such a trial."""

    def claimed() -> str | None:
        found = account.client("sagemaker").describe_trial(TrialName=trial)
        is_of_it = found["ExperimentName"].lower() == experiment.lower()
        return tags_of(account, found["TrialArn"]).get(JOB_TAG) if is_of_it else None

    return if_exists(claimed)


def attach(account: Account, trial: str, component: str) -> None:
    """Attach a component to a trial. Safe to call more than once."""
    with translated():
        account.client("sagemaker").associate_trial_component(TrialName=trial, TrialComponentName=component)


def require_experiment(account: Account, name: str) -> str:
    """
    Make sure that an experiment exists, and return its name, which may differ in case from the given one.

    Raises:
        ConfigError: If the name is not a non-empty string.
        NotFoundError: If it does not exist; lists the nearest names.
    """
    return str(_describe_experiment(account, name)["ExperimentName"])


def read_experiment(account: Account, name: str) -> ExperimentSummary:
    """
    Read one experiment; unlike Search, this never lags.

    Raises:
        ConfigError: If the name is not a non-empty string.
        NotFoundError: If it does not exist; lists the nearest names.
    """
    found = _describe_experiment(account, name)
    return experiment_from_aws({**found, "Tags": tags_to_aws(tags_of(account, found["ExperimentArn"]))})


def _describe_experiment(account: Account, name: str) -> Mapping[str, Any]:
    client = account.client("sagemaker")

    def names() -> list[str]:
        pages = client.get_paginator("list_experiments").paginate(PaginationConfig=FIRST_100)
        return [found["ExperimentName"] for page in pages for found in page["ExperimentSummaries"]]

    found: Mapping[str, Any] = described(
        "experiment",
        require_name("an experiment", name),
        lambda: client.describe_experiment(ExperimentName=name),
        names,
    )
    return found


def remember_objective(account: Account, experiment: str, objective: Objective) -> bool:
    """
    Tag an experiment with the objective of its trials; the objective of a later job replaces an earlier one.

    Nothing is stored for a metric whose name a tag cannot hold. If adding the tag fails, it warns.

    Returns:
        False if another attempt may succeed.
    """
    tag = _objective_tag(objective)
    if not tag:
        return True
    found = read_experiment(account, experiment)
    if objective == objective_of(found):
        return True
    try:
        add_tags(account, found.arn, tag)
    except ServiceError as error:
        warn(f"The objective of {experiment!r} is not stored with it: {error}")
        return isinstance(error, AccessDeniedError)
    return True


def _objective_tag(objective: Objective) -> dict[str, str]:
    """Return the tag that holds an objective; none if it cannot hold the name of the metric."""
    value = f"{objective.goal} {objective.statistic} {objective.metric}"
    return {OBJECTIVE_TAG: value} if _TAG_VALUE.fullmatch(value) else {}


def stored_objective(account: Account, experiment: str) -> Objective | None:
    """
    Return the objective that an experiment is tagged with; None without a valid tag.

    Raises:
        NotFoundError: If the experiment does not exist; lists the nearest names.
    """
    return objective_of(read_experiment(account, experiment))


def objective_of(experiment: ExperimentSummary) -> Objective | None:
    """Return the objective that an experiment is tagged with; None without a valid tag."""
    goal, _, rest = experiment.tags.get(OBJECTIVE_TAG, "").partition(" ")
    statistic, _, metric = rest.partition(" ")
    try:
        return Objective(metric, goal=goal, statistic=statistic)  # type: ignore[arg-type]  # checked by Objective
    except ConfigError:
        return None


def iter_trial_names(account: Account, experiment: str | None = None) -> Iterator[str]:
    """Yield the names of the trials of an experiment, or of all, the newest first; unlike Search, never behind."""
    for page in _newest_trials(account, {} if experiment is None else {"ExperimentName": experiment}):
        yield from (trial["TrialName"] for trial in page)


def trials_not_shown(account: Account, experiment: str, shown: Container[str]) -> Iterator[str]:
    """
    Yield the trials of an experiment that Search does not show, the newest first.

    They are listed as far back as Search may be behind: to the first page whose trials are all old enough, and shown.

    Args:
        account: Where the trials are.
        experiment: The experiment's name.
        shown: The names of the trials that Search shows.
    """
    for page in _newest_trials(account, {"ExperimentName": experiment}):
        hidden = [trial["TrialName"] for trial in page if trial["TrialName"] not in shown]
        yield from hidden
        if page and not hidden and all(is_settled(account, trial["CreationTime"]) for trial in page):
            return


def _newest_trials(account: Account, scope: Mapping[str, str]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield pages of the trials of an experiment, or of all, the newest first."""
    order = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 100}
    with translated():
        for page in account.client("sagemaker").get_paginator("list_trials").paginate(**scope, **order):
            yield page["TrialSummaries"]


def experiment_names_of(account: Account) -> list[str]:
    """Return the names of the experiments, the newest first, at most one hundred."""
    lists = account.client("sagemaker").get_paginator("list_experiments")
    with translated():
        pages = lists.paginate(SortBy="CreationTime", SortOrder="Descending", PaginationConfig=FIRST_100)
        return [found["ExperimentName"] for page in pages for found in page["ExperimentSummaries"]]


def require_trial(account: Account, name: str) -> ListedTrial:
    """
    Return a trial as it was created, without its tags.

    Raises:
        NotFoundError: If it does not exist; lists the nearest names.
    """
    client = account.client("sagemaker")

    def names() -> list[str]:
        pages = client.get_paginator("list_trials").paginate(PaginationConfig=FIRST_100)
        return [found["TrialName"] for page in pages for found in page["TrialSummaries"]]

    found = described("trial", name, lambda: client.describe_trial(TrialName=name), names)
    return ListedTrial(found["TrialName"], found["ExperimentName"], found["CreationTime"])


def tags_of_trial(account: Account, name: str) -> dict[str, str]:
    """Return a trial's tags."""
    with translated():
        arn = account.client("sagemaker").describe_trial(TrialName=name)["TrialArn"]
    return tags_of(account, arn)


def trial_arns(account: Account, experiment: str) -> dict[str, str]:
    """Return the ARNs of an experiment's trials, by name; unlike Search, this list never lags."""
    found = _trial_summaries(account, ExperimentName=experiment)
    return {trial["TrialName"]: trial["TrialArn"] for trial in found}


def trials_with(account: Account, component: str) -> list[str]:
    """Return the names of the trials that a component is attached to; unlike Search, this list never lags."""
    return [trial["TrialName"] for trial in _trial_summaries(account, TrialComponentName=component)]


def _trial_summaries(account: Account, **scope: str) -> list[Mapping[str, Any]]:
    with translated():
        pages = account.client("sagemaker").get_paginator("list_trials").paginate(**scope, PaginationConfig=PAGES)
        return [trial for page in pages for trial in page["TrialSummaries"]]


def component_names(account: Account, **scope: str) -> list[str]:
    """
    Return the names of components, in order of creation; unlike Search, this list never lags.

    Args:
        account: Where the components are.
        **scope: ``TrialName=`` for the components of a trial, or ``ExperimentName=`` for those of all its trials.
    """
    return [summary["TrialComponentName"] for summary in _component_summaries(account, **scope)]


def component_statuses(account: Account, trial: str) -> dict[str, Status | None]:
    """Return the statuses of a trial's components by name, in order of creation; unlike Search, these never lag."""
    summaries = _component_summaries(account, TrialName=trial)
    return {found["TrialComponentName"]: found.get("Status", {}).get("PrimaryStatus") for found in summaries}


def read_component(account: Account, name: str) -> Component:
    """Read one component, without its trials and tags; unlike Search, this never lags."""
    client = account.client("sagemaker")
    with translated():
        return exact_component(client, client.describe_trial_component(TrialComponentName=name))


def read_whole_component(account: Account, name: str) -> Component:
    """Read one component, with its trials and tags, in several calls; unlike Search, this never lags."""
    found = read_component(account, name)
    parents = tuple((trial, require_trial(account, trial).experiment) for trial in trials_with(account, name))
    return attrs.evolve(found, parents=parents, tags=tags_of(account, found.arn))


def jobs_of(account: Account, trial: str) -> list[str]:
    """Return the names of a trial's training jobs, in order of creation."""
    jobs = [summary for summary in _component_summaries(account, TrialName=trial) if _is_job(summary)]
    return [summary["TrialComponentName"].removesuffix("-aws-training-job") for summary in jobs]


def training_of(account: Account, trial: str, name: str | None = None) -> Component | None:
    """Read the component that recorded a trial's training: the one of that name, by default the last of them."""
    if name is None:
        summaries = _component_summaries(account, TrialName=trial)
        found = [s for s in summaries if _is_job(s) or s.get("DisplayName") == TRAINING]
        if not found:
            return None
        name = found[-1]["TrialComponentName"]
    return read_component(account, name)


def _component_summaries(account: Account, **scope: str) -> list[Mapping[str, Any]]:
    order = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    with translated():
        lists = account.client("sagemaker").get_paginator("list_trial_components")
        pages = lists.paginate(**scope, **order, PaginationConfig=PAGES)
        return [component for page in pages for component in page["TrialComponentSummaries"]]


def _is_job(summary: Mapping[str, Any]) -> bool:
    return ":training-job/" in summary.get("TrialComponentSource", {}).get("SourceArn", "")
