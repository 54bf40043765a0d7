"""Everything that exists of an experiment, no matter who created it. Only reads."""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import (
    CREATED_BY,
    EXPERIMENT_TAG,
    JOB_TAG,
    LEAVING_TAG,
    TRIAL_TAG,
    component_from_aws,
    tags_to_aws,
)
from mnist_tracking._aws.endpoints import HOSTING
from mnist_tracking._aws.errors import if_exists, translated
from mnist_tracking._aws.experiments import component_names, read_component, require_trial, trials_with
from mnist_tracking._aws.jobs import end_of, find_job
from mnist_tracking._aws.search import iter_components, trials_in
from mnist_tracking._aws.storage import objects_below, unfinished_uploads
from mnist_tracking._aws.tags import is_ours, tags_if_ours, tags_of
from mnist_tracking._values.names import sweep_record_name
from mnist_tracking._values.records import Component, ExperimentSummary
from mnist_tracking._values.sweeps import place_in
from mnist_tracking.upkeep.cleanup.pool import results
from mnist_tracking.upkeep.cleanup.readers import Reader, find_readers

__all__ = ["FoundTrial", "Hosted", "Inventory", "take_inventory"]


@attrs.frozen
class FoundTrial:
    """
    A trial.

    Attributes:
        name: Its name.
        created: When it was created.
        is_ours: Whether this library created it.
        hidden_job: Its training job, if that is running, and SageMaker has not created its trial component yet.
    """

    name: str
    created: datetime
    is_ours: bool
    hidden_job: str | None = None


@attrs.frozen
class Hosted:
    """An endpoint, its configuration or its model, and the step that deployed it."""

    kind: str
    name: str
    component: Component


@attrs.frozen(kw_only=True)
class Inventory:
    """
    Everything that exists of an experiment.

    Attributes:
        experiment: Its name.
        is_ours: Whether this library created it.
        trials: Its trials, by name.
        components: The steps of its trials, those prepared for later trials, and those whose deletion was interrupted;
            in order of creation.
        ours: The names of the components that this library created.
        hosted: What this library deployed from it.
        objects: The size of each S3 object, by URI.
        uploads: The URIs of objects whose upload was not finished.
        readers: The steps and models of others that use some of the objects.
    """

    experiment: str
    is_ours: bool
    trials: Mapping[str, FoundTrial]
    components: tuple[Component, ...]
    ours: frozenset[str]
    hosted: tuple[Hosted, ...]
    objects: Mapping[str, int]
    uploads: tuple[str, ...]
    readers: tuple[Reader, ...]


def take_inventory(account: Account, summary: ExperimentSummary, prefix: str, *, with_readers: bool) -> Inventory:
    """List everything that exists of an experiment; its S3 objects are below *prefix*."""
    reader = _Reader(account, summary.name)
    components = reader.components()
    ours = reader.ours(components)
    hosted = tuple(reader.hosted(component for component in components if component.name in ours))
    objects = list(objects_below(account, prefix))
    since = min([summary.created, *(found.modified for found in objects)])
    known = {*(component.name for component in components), *(found.name for found in hosted)}
    is_read = with_readers and objects
    return Inventory(
        experiment=summary.name,
        is_ours=CREATED_BY in summary.tags,
        trials=reader.trials({component.job_name for component in components}),
        components=tuple(components),
        ours=ours,
        hosted=hosted,
        objects={found.uri: found.size for found in objects},
        uploads=tuple(unfinished_uploads(account, f"{prefix}/")),
        readers=tuple(find_readers(account, prefix, since=since, known=known)) if is_read else (),
    )


@attrs.frozen
class _Reader:
    account: Account
    experiment: str

    @property
    def client(self) -> Any:
        return self.account.client("sagemaker")

    def components(self) -> list[Component]:
        """Search returns most facts in one call, but may lag; the list of the trials' components never does."""
        searches = (
            {"Parents_ExperimentName": self.experiment},
            {f"Tags.{EXPERIMENT_TAG}": self.experiment},
            {f"Tags.{LEAVING_TAG}": self.experiment},
        )
        found = {c.name: c for filters in searches for c in iter_components(self.client, **filters)}
        names = component_names(self.account, ExperimentName=self.experiment)
        found |= results(self._read, [name for name in names if name not in found])
        found |= results(self._read, self._sweep_records(found))
        return sorted(found.values(), key=lambda component: component.created)

    def _sweep_records(self, found: Mapping[str, Component]) -> list[str]:
        """Return the records of the trials' sweeps that Search does not show yet; they belong to no trial."""
        places = filter(None, (place_in(component.parameters) for component in found.values()))
        names = {sweep_record_name(self.experiment, place.sweep) for place in places}
        return [name for name in names - found.keys() if if_exists(partial(read_component, self.account, name))]

    def _read(self, name: str) -> Component:
        """Read a component that Search does not show yet, in the form that Search would return."""
        with translated():
            described = self.client.describe_trial_component(TrialComponentName=name)
        parents = [
            {"TrialName": t, "ExperimentName": require_trial(self.account, t).experiment}
            for t in trials_with(self.account, name)
        ]
        tags = tags_to_aws(tags_of(self.account, described["TrialComponentArn"]))
        return component_from_aws({**described, "Parents": parents, "Tags": tags})

    def ours(self, components: Iterable[Component]) -> frozenset[str]:
        """A job's component has no tags of its own, but the job has."""
        tagged = {component.name for component in components if CREATED_BY in component.tags}
        sources = {c.name: c.source_arn for c in components if c.source_arn and c.name not in tagged}
        arns = results(self._is_ours, set(sources.values()))
        return frozenset(tagged | {name for name, arn in sources.items() if arns[arn]})

    def trials(self, shown: Container[str | None]) -> dict[str, FoundTrial]:
        """
        Return the trials by name.

        Args:
            shown: The jobs that trial components show.
        """
        return {
            trial.name: FoundTrial(
                trial.name,
                trial.created,
                is_ours=CREATED_BY in trial.tags,
                hidden_job=self._hidden_job(trial.tags.get(JOB_TAG), shown) if CREATED_BY in trial.tags else None,
            )
            for trial in sorted(trials_in(self.account, self.experiment), key=lambda trial: trial.created)
        }

    def _hidden_job(self, name: str | None, shown: Container[str | None]) -> str | None:
        """Return the job of a trial if no component shows that it runs."""
        job = None if name is None or name in shown else find_job(self.account, name)
        return name if job is not None and end_of(job) is None else None

    def hosted(self, components: Iterable[Component]) -> Iterator[Hosted]:
        """Yield what was deployed and still exists; the configuration and the model may outlive their endpoint."""
        for component in components:
            for artifact in component.outputs:
                before, is_endpoint, name = artifact.uri.rpartition(":endpoint/")
                for kind, resource in HOSTING.items() if is_endpoint else ():
                    tags = tags_if_ours(self.account, f"{before}:{resource}/{name}") or {}
                    if tags.get(TRIAL_TAG) in component.trials:  # else another trial was deployed by that name
                        yield Hosted(kind, name, component)

    def _is_ours(self, arn: str) -> bool:
        return is_ours(self.account, arn)
