"""Find experiments, trials and steps."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import (
    JOB_COMPONENT,
    RUN_TAG,
    TRAINING,
    experiment_from_aws,
    is_training,
)
from mnist_tracking._aws.experiments import require_experiment
from mnist_tracking._aws.hyperparameters import exact_components
from mnist_tracking._aws.search import expression_of, iter_search
from mnist_tracking._values.checks import require_moment, require_name
from mnist_tracking._values.records import Component, ExperimentSummary
from mnist_tracking._values.settings import copied_tags
from mnist_tracking._values.tables import Kind, Table
from mnist_tracking._values.where import Condition, Filter, Property, created, display_name, parent, tag
from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.results import Results
from mnist_tracking.reading.trial import Trial, component_table, trial_from_component, trial_table

__all__ = [
    "OnProgress",
    "Where",
    "experiment_names",
    "find_components",
    "find_experiments",
    "find_trials",
]

T = TypeVar("T")

Where = Filter | Mapping[str, Any]
OnProgress = Callable[[int], object]
IS_TRAINING = (
    (display_name() == TRAINING) | Condition("TrialComponentName", "Contains", JOB_COMPONENT) | (tag(RUN_TAG) == "run")
)
"""
A filter for Search that matches all for which `is_training` holds.

A search may use Contains for the name of a component as often as it likes, but only once for other properties, and that
once is the caller's. Components that only have the name of a training job's are left out afterwards.
"""


def find_experiments(
    account: Account,
    *,
    name_contains: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    tags: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> Results[ExperimentSummary]:
    """Return experiments, newest first; see `Workspace.experiments`."""
    where: list[Where] = [tag(key) == value for key, value in copied_tags(tags).items()]
    if name_contains is not None:
        where.append(Property("ExperimentName", "name_contains", "text").contains(name_contains))
    if created_after is not None:
        where.append(created() > require_moment("created_after", created_after))
    if created_before is not None:
        where.append(created() < require_moment("created_before", created_before))
    found = _search(account, "Experiment", where)
    summaries = (experiment_from_aws(item["Experiment"]) for item in found)
    return Results("experiments", summaries, experiment_table, on_progress)


def experiment_table(experiments: Iterable[ExperimentSummary]) -> Table:
    """Return the table of experiments."""
    rows = [_experiment_row(experiment) for experiment in experiments]
    tags = sorted({name for row in rows for name in row if name.startswith("tag.")})
    columns: dict[str, Kind] = {"experiment": "string", "created": "time", "description": "string"}
    return Table({**columns, **dict.fromkeys(tags, "string")}, rows)


def _experiment_row(experiment: ExperimentSummary) -> dict[str, object]:
    return {
        "experiment": experiment.name,
        "created": experiment.created,
        "description": experiment.description,
        **{f"tag.{key}": value for key, value in experiment.tags.items()},
    }


def find_trials(
    account: Account,
    experiment: str | Sequence[str] | None = None,
    where: Where | Iterable[Where] = (),
    on_progress: OnProgress | None = None,
) -> Results[Trial]:
    """Return trials, newest first; see `Workspace.trials`."""
    experiments = None if experiment is None else experiment_names(experiment)
    components = filter(is_training, _components(account, experiments, [IS_TRAINING, *listed(where)]))
    found = _trials(account, components, experiments)
    return Results("trials", found, trial_table, on_progress)


def find_components(
    account: Account,
    experiment: str | Sequence[str] | None = None,
    where: Where | Iterable[Where] = (),
    on_progress: OnProgress | None = None,
) -> Results[Component]:
    """Return steps of every kind and source, newest first; see `Workspace.components`."""
    experiments = None if experiment is None else experiment_names(experiment)
    found = _components(account, experiments, listed(where))
    return Results("components", found, component_table, on_progress)


def experiment_names(experiment: str | Iterable[str]) -> tuple[str, ...]:
    """
    Return the names of one or several experiments.

    Raises:
        ConfigError: If no name is given, or one is not a name.
    """
    names = (experiment,) if isinstance(experiment, str) else experiment
    if not isinstance(names, Iterable) or isinstance(names, Mapping) or not (listed := tuple(names)):
        raise ConfigError(f"experiment={experiment!r}; expected the name of an experiment, or a list of names.")
    return tuple(require_name("an experiment", name) for name in listed)


def _components(account: Account, experiments: Sequence[str] | None, where: Sequence[Where]) -> Iterator[Component]:
    def search(names: Sequence[str] | None) -> Iterator[Component]:
        of_them = [] if names is None else [parent("experiment").isin(names)]
        found = _search(account, "ExperimentTrialComponent", [*where, *of_them])
        return exact_components(account.client("sagemaker"), found)

    found = search(experiments)  # built now, so that a wrong filter is reported at once
    return found if experiments is None else _or_by_stored_names(account, found, experiments, search)


def _or_by_stored_names(
    account: Account,
    found: Iterable[T],
    experiments: Sequence[str],
    search: Callable[[Sequence[str]], Iterator[T]],
) -> Iterator[T]:
    """
    Yield what was found; if nothing was, search by the names that the experiments have, which may differ in case.

    Raises:
        NotFoundError: If nothing was found, and an experiment does not exist.
    """
    is_empty = True
    for item in found:
        is_empty = False
        yield item
    if is_empty:
        stored = [require_experiment(account, name) for name in experiments]
        if stored != list(experiments):
            yield from search(stored)


def listed(where: Where | Iterable[Where]) -> list[Where]:
    """
    Return one or several filters as a list.

    Raises:
        ConfigError: If one is neither a filter nor a SearchExpression.
    """
    found: list[object]
    match where:
        case Iterable() if not isinstance(where, Filter | Mapping | str):
            found = list(where)
        case _:
            found = [where]
    for item in found:
        if not isinstance(item, Filter | Mapping):
            raise ConfigError(
                f"{item!r} is not a filter. Compare a property, as in where.metric('test:accuracy') > 97, or pass a "
                "SearchExpression as a dictionary."
            )
    return cast("list[Where]", found)


def _trials(account: Account, components: Iterable[Component], experiments: Sequence[str] | None) -> Iterator[Trial]:
    """Yield a trial for each trial that a component belongs to, in the given experiments."""
    wanted = None if experiments is None else {name.lower() for name in experiments}
    for component in components:
        for name, experiment in component.parents:
            if wanted is None or experiment.lower() in wanted:
                yield trial_from_component(account, component, name, experiment)


def _search(account: Account, resource: str, where: Sequence[Where]) -> Iterator[dict[str, Any]]:
    expression = expression_of(where)  # built first, so that a wrong filter is reported before anything is read
    return iter_search(account.client("sagemaker"), resource, expression, ascending=False)
