"""Find experiments and trials, whoever made them. Reading never writes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mnist_tracking._sagemaker.convert import (
    RUN_TAG,
    TRAINING,
    component_from_aws,
    experiment_from_aws,
    trial_from_component,
)
from mnist_tracking._sagemaker.search import expression_of, iter_search
from mnist_tracking.errors import ConfigError
from mnist_tracking.filters import Condition, Filter, Property, created, display_name, parent, tag
from mnist_tracking.records import Component, ExperimentSummary, TrialResult, trial_row
from mnist_tracking.results import Results

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

__all__ = ["OnProgress", "Where", "component_row", "find_components", "find_experiments", "find_trials"]

Where = Filter | Mapping[str, Any]
OnProgress = Callable[[int], object]
_IS_TRAINING = (
    (display_name() == TRAINING) | Condition("Source.SourceArn", "Contains", ":training-job/") | (tag(RUN_TAG) == "run")
)
"""What `is_training` says, as Search is asked it."""


def find_experiments(
    workspace: "Workspace",
    *,
    name_contains: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    tags: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> Results[ExperimentSummary]:
    """Return experiments, the newest first; see `Workspace.experiments`."""
    where: list[Where] = [tag(key) == value for key, value in (tags or {}).items()]
    if name_contains is not None:
        where.append(Property("ExperimentName", "name_contains", "text").contains(name_contains))
    if created_after is not None:
        where.append(created() > created_after)
    if created_before is not None:
        where.append(created() < created_before)
    found = _search(workspace, "Experiment", where)
    return Results(
        "experiments", (experiment_from_aws(item["Experiment"]) for item in found), _experiment_row, on_progress
    )


def _experiment_row(experiment: ExperimentSummary) -> dict[str, object]:
    return {
        "experiment": experiment.name,
        "created": experiment.created,
        "description": experiment.description,
        **{f"tag.{key}": value for key, value in sorted(experiment.tags.items())},
    }


def find_trials(
    workspace: "Workspace",
    experiment: str | Sequence[str] | None = None,
    where: Where | Iterable[Where] = (),
    on_progress: OnProgress | None = None,
) -> Results[TrialResult]:
    """Return trials, the newest first; see `Workspace.trials`."""
    experiments = [experiment] if isinstance(experiment, str) else experiment
    conditions: list[Where] = [_IS_TRAINING, *_listed(where)]
    if experiments is not None:
        conditions.append(parent("experiment").isin(experiments))
    found = _search(workspace, "ExperimentTrialComponent", conditions)
    components = (component_from_aws(item["TrialComponent"]) for item in found)
    return Results("trials", _trials(components, experiments), trial_row, on_progress)


def find_components(
    workspace: "Workspace",
    experiment: str | Sequence[str] | None = None,
    where: Where | Iterable[Where] = (),
    on_progress: OnProgress | None = None,
) -> Results[Component]:
    """Return steps of every kind and source, the newest first; see `Workspace.components`."""
    conditions = _listed(where)
    if experiment is not None:
        conditions.append(parent("experiment").isin([experiment] if isinstance(experiment, str) else experiment))
    found = _search(workspace, "ExperimentTrialComponent", conditions)
    return Results(
        "components", (component_from_aws(item["TrialComponent"]) for item in found), component_row, on_progress
    )


def _listed(where: Where | Iterable[Where]) -> list[Where]:
    listed = [where] if isinstance(where, Filter | Mapping | str) else list(where)
    for item in listed:
        if not isinstance(item, Filter | Mapping):
            raise ConfigError(
                f"{item!r} is no filter. Compare a property, as in metric('test:accuracy') > 0.97, or give a "
                "SearchExpression as a dictionary."
            )
    return listed


def _trials(components: Iterable[Component], experiments: Sequence[str] | None) -> Iterator[TrialResult]:
    """Yield a trial for each that a component belongs to, in one of the experiments that are asked for."""
    for component in components:
        for name, experiment in component.parents:
            if experiments is None or experiment in experiments:
                yield trial_from_component(component, name, experiment)


def component_row(component: Component) -> dict[str, object]:
    """Return what a step is in a frame."""
    is_over = component.ended and component.started
    return {
        "step": component.display_name,
        "status": component.status,
        "started": component.started,
        "duration_s": (component.ended - component.started).total_seconds() if is_over else None,  # type: ignore[operator]
        "parameters": dict(component.parameters),
        "inputs": {artifact.name: artifact.uri for artifact in component.inputs},
        "outputs": {artifact.name: artifact.uri for artifact in component.outputs},
        "metrics": {name: metric.last for name, metric in component.metrics.items()},
    }


def _search(workspace: "Workspace", resource: str, where: Sequence[Where]) -> Iterator[dict[str, Any]]:
    expression = expression_of(where)  # at once: what is wrong with it is said before anything is read
    return iter_search(workspace.client("sagemaker"), resource, expression, ascending=False)
