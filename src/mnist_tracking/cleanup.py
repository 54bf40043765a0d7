"""Delete an experiment and all that this library made for it."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs
from botocore.exceptions import ClientError

from mnist_tracking._sagemaker.convert import CREATED_BY
from mnist_tracking._sagemaker.errors import is_missing, translate, translated
from mnist_tracking._sagemaker.experiments import require_experiment
from mnist_tracking._sagemaker.hosting import delete_endpoint
from mnist_tracking._sagemaker.objects import delete_below
from mnist_tracking._sagemaker.search import iter_components
from mnist_tracking._sagemaker.training import stop_job, wait_for_job
from mnist_tracking.records import Component

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

__all__ = ["CleanupReport", "clean_experiment"]


@attrs.frozen
class CleanupReport:
    """
    What cleaning up did.

    Attributes:
        deleted: Kind and name of what is gone, in order.
        kept: Kind, name and reason of what stayed.
        objects: How many S3 objects were deleted.
    """

    deleted: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str, str], ...]
    objects: int

    def __str__(self) -> str:
        counts: dict[str, int] = {}
        for kind, _ in self.deleted:
            counts[kind] = counts.get(kind, 0) + 1
        parts = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items()]
        lines = ["deleted " + ", ".join([*parts, f"{self.objects} S3 objects"])]
        return "\n".join([*lines, *(f"kept {kind} {name}: {reason}" for kind, name, reason in self.kept)])


@attrs.define
class _Log:
    deleted: list[tuple[str, str]] = attrs.field(factory=list)
    kept: list[tuple[str, str, str]] = attrs.field(factory=list)


def clean_experiment(workspace: "Workspace", experiment: str, prefix: str) -> CleanupReport:
    """
    Delete what this library made for an experiment: endpoints first, components that trials share last.

    May be called again after an interruption: it carries on.

    Args:
        workspace: Where it is.
        experiment: Its name.
        prefix: Where its objects are, ``s3://bucket/prefix/experiment``.

    Raises:
        NotFoundError: If there is no such experiment.
    """
    require_experiment(workspace, experiment)
    client, log = workspace.client("sagemaker"), _Log()
    components = list(iter_components(client, Parents_ExperimentName=experiment))
    _stop_jobs(workspace, components)
    for component in components:
        if name := component.parameters.get("endpoint_name"):
            log.deleted += delete_endpoint(workspace, str(name))
    for component in sorted(components, key=lambda c: len(c.trials)):
        _delete_component(client, component, experiment, log)
    _delete_trials_and_experiment(client, experiment, log)
    objects = delete_below(workspace, f"{prefix}/")
    return CleanupReport(tuple(log.deleted), tuple(log.kept), objects)


def _stop_jobs(workspace: "Workspace", components: Iterable[Component]) -> None:
    running = [c.job_name for c in components if c.job_name and c.status in ("InProgress", "Stopping")]
    for job_name in running:
        stop_job(workspace, job_name)
    for job_name in running:
        wait_for_job(workspace, job_name)


def _delete_component(client: Any, component: Component, experiment: str, log: _Log) -> None:
    ours, foreign = _trials_by_owner(client, component, experiment)
    for trial in ours:
        with translated():
            client.disassociate_trial_component(TrialName=trial, TrialComponentName=component.name)
    if foreign:
        log.kept.append(("trial component", component.name, f"also in {', '.join(foreign)}"))
    elif not _is_ours(client, component):
        log.kept.append(("trial component", component.name, "not made by mnist-tracking"))
    else:
        _delete(
            log,
            "trial component",
            component.name,
            lambda: client.delete_trial_component(TrialComponentName=component.name),
        )


def _trials_by_owner(client: Any, component: Component, experiment: str) -> tuple[list[str], list[str]]:
    if component.experiments == (experiment,):
        return list(component.trials), []
    with translated():
        pages = client.get_paginator("list_trials").paginate(ExperimentName=experiment)
        own = {trial["TrialName"] for page in pages for trial in page["TrialSummaries"]}
    return [t for t in component.trials if t in own], [t for t in component.trials if t not in own]


def _is_ours(client: Any, component: Component) -> bool:
    if CREATED_BY in component.tags:
        return True
    return component.source_arn is not None and _is_tagged(client, component.source_arn)


def _is_tagged(client: Any, arn: str) -> bool:
    with translated():
        return any(tag["Key"] == CREATED_BY for tag in client.list_tags(ResourceArn=arn)["Tags"])


def _delete_trials_and_experiment(client: Any, experiment: str, log: _Log) -> None:
    with translated():
        pages = client.get_paginator("list_trials").paginate(ExperimentName=experiment)
        trials = [(trial["TrialName"], trial["TrialArn"]) for page in pages for trial in page["TrialSummaries"]]
        arn = client.describe_experiment(ExperimentName=experiment)["ExperimentArn"]
    for name, trial_arn in trials:
        if _is_tagged(client, trial_arn):
            _delete(log, "trial", name, lambda name=name: client.delete_trial(TrialName=name))  # type: ignore[misc]
        else:
            log.kept.append(("trial", name, "not made by mnist-tracking"))
    if not _is_tagged(client, arn):
        log.kept.append(("experiment", experiment, "not made by mnist-tracking"))
    elif any(kind == "trial" for kind, _, _ in log.kept):
        log.kept.append(("experiment", experiment, "it still has trials"))
    else:
        _delete(log, "experiment", experiment, lambda: client.delete_experiment(ExperimentName=experiment))


def _delete(log: _Log, kind: str, name: str, call: Callable[[], object]) -> None:
    try:
        call()
    except ClientError as error:
        if not is_missing(error):
            raise translate(error) from error
    else:
        log.deleted.append((kind, name))
