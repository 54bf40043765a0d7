"""What there is of an experiment, whoever made it. Reading it changes nothing."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import CREATED_BY, EXPERIMENT_TAG, component_from_aws
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.experiments import require_experiment, require_trial
from mnist_tracking._aws.removal import PAGES, components_in, is_ours, trials_with
from mnist_tracking._aws.search import iter_components
from mnist_tracking._aws.storage import sizes_below
from mnist_tracking._values.records import Component
from mnist_tracking.upkeep.cleanup.pool import results

__all__ = ["LEAVING_TAG", "FoundTrial", "Hosted", "Inventory", "take_inventory"]

LEAVING_TAG = "mnist-tracking:leaving"
"""Put on a component before it is taken out of its trials, so that it is found again if deleting it is interrupted."""

_HOSTING = {"endpoint": "endpoint", "endpoint config": "endpoint-config", "model": "model"}
_AT_ONCE = 4


@attrs.frozen
class FoundTrial:
    """A trial: when it was made, and whether by this library."""

    name: str
    created: datetime
    is_ours: bool


@attrs.frozen
class Hosted:
    """An endpoint, its configuration or its model, and the step that deployed it."""

    kind: str
    name: str
    component: Component


@attrs.frozen(kw_only=True)
class Inventory:
    """
    What there is of an experiment.

    Attributes:
        experiment: Its name.
        is_ours: Whether this library made it.
        trials: By name.
        components: The steps of those trials, those prepared for trials, and those that were being deleted; in order of
            creation.
        ours: The names of those that this library made.
        hosted: What this library deployed of it.
        objects: The size of each S3 object, by where it is.
    """

    experiment: str
    is_ours: bool
    trials: Mapping[str, FoundTrial]
    components: tuple[Component, ...]
    ours: frozenset[str]
    hosted: tuple[Hosted, ...]
    objects: Mapping[str, int]


def take_inventory(account: Account, experiment: str, prefix: str) -> Inventory:
    """
    Read what there is of an experiment.

    Raises:
        NotFoundError: If there is no such experiment.
    """
    require_experiment(account, experiment)
    reader = _Reader(account, experiment)
    components = reader.components()
    ours = reader.ours(components)
    return Inventory(
        experiment=experiment,
        is_ours=reader.is_experiment_ours(),
        trials=reader.trials(),
        components=tuple(components),
        ours=ours,
        hosted=tuple(reader.hosted(component for component in components if component.name in ours)),
        objects=sizes_below(account, f"{prefix}/"),
    )


@attrs.frozen
class _Reader:
    account: Account
    experiment: str

    @property
    def client(self) -> Any:
        return self.account.client("sagemaker")

    def is_experiment_ours(self) -> bool:
        with translated():
            arn = self.client.describe_experiment(ExperimentName=self.experiment)["ExperimentArn"]
        return self._is_ours(arn)

    def trials(self) -> dict[str, FoundTrial]:
        with translated():
            pages = self.client.get_paginator("list_trials").paginate(
                ExperimentName=self.experiment,
                SortBy="CreationTime",
                SortOrder="Ascending",
                PaginationConfig=PAGES,
            )
            told = {trial["TrialArn"]: trial for page in pages for trial in page["TrialSummaries"]}
        tagged = results(self._is_ours, told, max_parallel=_AT_ONCE)
        found = (FoundTrial(trial["TrialName"], trial["CreationTime"], tagged[arn]) for arn, trial in told.items())
        return {trial.name: trial for trial in found}

    def components(self) -> list[Component]:
        """Search tells the most at once, and may be behind; the list of the trials' components never is."""
        named = (
            {"Parents_ExperimentName": self.experiment},
            {f"Tags.{EXPERIMENT_TAG}": self.experiment},
            {f"Tags.{LEAVING_TAG}": self.experiment},
        )
        found = {c.name: c for filters in named for c in iter_components(self.client, **filters)}
        names = components_in(self.account, ExperimentName=self.experiment)
        found |= results(self._read, [name for name in names if name not in found], max_parallel=_AT_ONCE)
        return sorted(found.values(), key=lambda component: component.created)

    def _read(self, name: str) -> Component:
        """Read a component that Search does not show yet, as Search would show it."""
        with translated():
            told = self.client.describe_trial_component(TrialComponentName=name)
            tags = self.client.list_tags(ResourceArn=told["TrialComponentArn"])["Tags"]
        parents = [
            {"TrialName": t, "ExperimentName": require_trial(self.account, t).experiment}
            for t in trials_with(self.account, name)
        ]
        return component_from_aws({**told, "Parents": parents, "Tags": tags})

    def ours(self, components: Iterable[Component]) -> frozenset[str]:
        """A job's component has no tags of its own; the job has."""
        tagged = {component.name for component in components if CREATED_BY in component.tags}
        sources = {c.name: c.source_arn for c in components if c.source_arn and c.name not in tagged}
        arns = results(self._is_ours, set(sources.values()), max_parallel=_AT_ONCE)
        return frozenset(tagged | {name for name, arn in sources.items() if arns[arn]})

    def hosted(self, components: Iterable[Component]) -> Iterator[Hosted]:
        """Yield what was deployed and is still there; of an endpoint that is gone, the rest may be left."""
        for component in components:
            for artifact in component.outputs:
                before, is_endpoint, name = artifact.uri.rpartition(":endpoint/")
                for kind, resource in _HOSTING.items() if is_endpoint else ():
                    if self._is_ours(f"{before}:{resource}/{name}"):
                        yield Hosted(kind, name, component)

    def _is_ours(self, arn: str) -> bool:
        return is_ours(self.account, arn)
