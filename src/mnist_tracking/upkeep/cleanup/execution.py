"""Delete what a cleanup plan lists for deletion, and nothing else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import TypeVar

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import LEAVING_TAG
from mnist_tracking._aws.endpoints import delete_endpoint_alone
from mnist_tracking._aws.errors import exists, is_missing
from mnist_tracking._aws.experiments import component_names, trial_arns, trials_with
from mnist_tracking._aws.jobs import stop_job, wait_for_job
from mnist_tracking._aws.removal import delete_artifacts, delete_named, detach
from mnist_tracking._aws.storage import abort_uploads, delete_objects, location_of, sizes_below
from mnist_tracking._aws.tags import add_tags
from mnist_tracking.errors import AccessDeniedError, MnistTrackingError, ServiceError
from mnist_tracking.upkeep.cleanup.pool import for_each
from mnist_tracking.upkeep.cleanup.readers import find_readers
from mnist_tracking.upkeep.cleanup.records import (
    DATA_IN_USE,
    OBJECTS,
    UPLOAD,
    CleanupReport,
    PlannedDeletion,
    first_names,
)

__all__ = ["execute"]

R = TypeVar("R")
Items = Sequence[PlannedDeletion]
OnItemDone = Callable[[int, int], None]
_BATCH = 1000  # S3 deletes at most 1000 objects in one request


def execute(
    account: Account,
    experiment: str,
    items: Items,
    *,
    prefix: str,
    readers_since: datetime | None,
    max_parallel: int,
    on_progress: OnItemDone | None,
) -> CleanupReport:
    """
    Delete the items of a plan in an order in which nothing deleted is still referenced.

    The experiment is deleted last: an interrupted cleanup finds the rest by it.

    Raises:
        AccessDeniedError: If the credentials expire.
    """
    ledger = _Ledger(items, on_progress)
    execution = _Execution(account, experiment, items, prefix, ledger, max_parallel, readers_since)
    execution.stop_jobs()
    execution.delete_hosted()
    leaving = execution.mark_components()
    empty = execution.empty_trials()
    detached = execution.detached(leaving)
    execution.delete_objects()
    execution.delete(execution.without_artifacts(execution.without_objects(detached)))
    execution.delete(execution.without_objects(empty))
    execution.delete_experiment()
    return ledger.report()


class _Ledger:
    """Keeps the outcome of each item, and reports progress. For use in one thread."""

    def __init__(self, items: Items, on_progress: OnItemDone | None) -> None:
        self.failed: list[tuple[str, str, MnistTrackingError]] = []
        self._deleted: list[tuple[str, str]] = []
        self._kept = [(item.kind, item.name, item.reason) for item in items if not item.deletable]
        self._objects = self._size_bytes = 0
        self._open = {(item.kind, item.name) for item in items if item.deletable or item.is_running}
        self._total = len(self._open)
        self._on_progress = on_progress

    def deleted(self, item: PlannedDeletion) -> None:
        self._deleted.append((item.kind, item.name))
        self.settled(item)

    def deleted_objects(self, count: int, size_bytes: int) -> None:
        self._objects += count
        self._size_bytes += size_bytes

    def kept(self, item: PlannedDeletion, reason: str) -> None:
        self._kept.append((item.kind, item.name, reason))
        self.settled(item)

    def not_deleted(self, item: PlannedDeletion, error: MnistTrackingError) -> None:
        self.failed.append((item.kind, item.name, error))
        self.settled(item)

    def settled(self, item: PlannedDeletion) -> None:
        """Count an item as done, whatever its outcome."""
        if (item.kind, item.name) in self._open:
            self._open.remove((item.kind, item.name))
            if self._on_progress is not None:
                self._on_progress(self._total - len(self._open), self._total)

    def report(self) -> CleanupReport:
        return CleanupReport(
            tuple(self._deleted), tuple(self._kept), self._objects, self._size_bytes, tuple(self.failed)
        )


@attrs.define
class _Execution:
    account: Account
    experiment: str
    items: Items
    prefix: str
    ledger: _Ledger
    max_parallel: int
    readers_since: datetime | None  # when others were looked for that use the objects; None if they are ignored
    has_used_data: bool = attrs.field(default=False, init=False)
    trials: frozenset[str] = attrs.field(init=False)  # to delete
    kept_components: set[str] = attrs.field(factory=set, init=False)
    detachable: set[str] = attrs.field(factory=set, init=False)  # components to detach from the trials to delete
    undeleted: set[str] = attrs.field(factory=set, init=False)  # the URIs of objects that could not be deleted

    @trials.default
    def _trials_to_delete(self) -> frozenset[str]:
        return frozenset(item.name for item in self.to_delete("trial"))

    def to_delete(self, kind: str) -> Items:
        return [item for item in self.items if item.deletable and item.kind == kind]

    def stop_jobs(self) -> None:
        """Stop all running jobs, and then wait for them to end."""
        stopping: list[PlannedDeletion] = []
        running = [item for item in self.items if item.is_running]
        self._each(running, lambda job: stop_job(self.account, job.name), lambda job, _: stopping.append(job))
        self._each(
            stopping,
            lambda job: exists(lambda: wait_for_job(self.account, job.name)),
            lambda job, _: self.ledger.settled(job),
        )

    def delete_hosted(self) -> None:
        """Delete endpoints before their configurations and models, which stay if their endpoint cannot be deleted."""
        self.delete(self.to_delete("endpoint"))
        alive = {name for kind, name, _ in self.ledger.failed if kind == "endpoint"}
        for kind in ("endpoint config", "model"):
            for item in self.to_delete(kind):
                if item.name in alive:
                    self.ledger.kept(item, "its endpoint could not be deleted")
            self.delete([item for item in self.to_delete(kind) if item.name not in alive])

    def mark_components(self) -> Mapping[PlannedDeletion, Sequence[str]]:
        """
        Tag the components to delete, and return them with their trials.

        A component that other trials or undeleted resources need by now is kept. The tag lets a later cleanup find the
        component if this one is interrupted after detaching it.
        """
        components, leaving = self.to_delete("trial component"), dict[PlannedDeletion, Sequence[str]]()
        self.detachable = {i.name for i in self.items if not i.deletable and i.kind == "trial component"}
        self.kept_components = self.detachable | {item.name for item in components}

        def note(item: PlannedDeletion, trials: Sequence[str] | None) -> None:
            self.detachable.add(item.name)
            if trials and (elsewhere := self._kept_trials(trials)):
                self.ledger.kept(item, f"attached to trial {elsewhere[0]} since the plan was made")
                return
            self.kept_components.remove(item.name)
            if trials is None:
                self.ledger.settled(item)
            else:
                leaving[item] = trials

        needed = {item.name: why for item in components if (why := self._why_needed(item))}
        for item in components:
            if item.name in needed:
                self.ledger.kept(item, needed[item.name])
        self._each([item for item in components if item.name not in needed], self._mark, note)
        return leaving

    def _why_needed(self, component: PlannedDeletion) -> str:
        """Return what could not be deleted and would no longer be found without the component; empty if nothing."""
        for kind, name, _ in self.ledger.failed:
            if kind == "training job" and component.name == f"{name}-aws-training-job":
                return f"its training job {name} could not be stopped"
            if any(uri.endswith(f":endpoint/{name}") for uri in component.uris):
                return f"its {kind} {name} could not be deleted"
        return ""

    def _mark(self, component: PlannedDeletion) -> Sequence[str] | None:
        """Tag a component unless it must be kept, and return its trials; None if it is gone."""
        try:
            trials = trials_with(self.account, component.name)
        except ServiceError as error:
            if is_missing(error):
                return None
            raise
        if not component.is_tagged and not self._kept_trials(trials):
            add_tags(self.account, component.arn, {LEAVING_TAG: self.experiment})
        return trials

    def _kept_trials(self, trials: Iterable[str]) -> Sequence[str]:
        return sorted(set(trials) - self.trials)

    def empty_trials(self) -> Items:
        """Detach the plan's components from its trials, and return the trials that are empty then."""
        empty: list[PlannedDeletion] = []

        def note(trial: PlannedDeletion, left: Sequence[str]) -> None:
            if left:
                self.ledger.kept(trial, f"it still has the step {left[0]}")
            else:
                empty.append(trial)

        self._each(self.to_delete("trial"), self._empty, note)
        return empty

    def _empty(self, trial: PlannedDeletion) -> Sequence[str]:
        """Detach components from a trial, and return the names of those that remain."""
        try:
            names = component_names(self.account, TrialName=trial.name)
        except ServiceError as error:
            if is_missing(error):
                return []
            raise
        for name in self.detachable.intersection(names):
            detach(self.account, trial.name, name)
        return [name for name in names if name not in self.detachable]

    def detached(self, leaving: Mapping[PlannedDeletion, Sequence[str]]) -> Items:
        """Return the components that are attached to no trial any more; the data of the others is kept."""
        full = {name for kind, name, _ in self.ledger.failed if kind == "trial"}
        stuck = {item: held for item, trials in leaving.items() if (held := full.intersection(trials))}
        for item, held in stuck.items():
            self.kept_components.add(item.name)
            self.ledger.kept(item, f"it could not be detached from the trial {min(held)}")
        return [item for item in leaving if item not in stuck]

    def delete_objects(self) -> None:
        """Delete the plan's objects, and those that its jobs wrote while they were stopped; keep data still needed."""
        sizes, needed = sizes_below(self.account, f"{self.prefix}/"), {**self._used_since(), **self._needed_data()}
        stopped = {f"{self.prefix}/jobs/{item.name}" for item in self.items if item.is_running}
        planned = {uri for item in self.to_delete(OBJECTS) for uri in item.uris}
        kept = {uri for item in self.items if item.kind == OBJECTS and not item.deletable for uri in item.uris}
        found = [uri for uri in sizes if uri in planned or (location_of(uri, stopped) and uri not in kept)]
        self._delete_in_batches([uri for uri in found if location_of(uri, needed) is None], sizes)
        for item in self.to_delete(OBJECTS):
            reasons = {needed[location] for uri in item.uris if (location := location_of(uri, needed))}
            if reasons:
                self.has_used_data = True
                self.ledger.kept(item, min(reasons))
            else:
                self.ledger.settled(item)
        self.delete(self.to_delete(UPLOAD))

    def _needed_data(self) -> Mapping[str, str]:
        """Return the locations of the data of components that are kept, each with its reason."""
        components = [i for i in self.items if i.kind == "trial component" and i.name in self.kept_components]
        return {uri: f"data of {item.name}" for item in components for uri in item.uris}

    def _used_since(self) -> Mapping[str, str]:
        """
        Return the locations that others use since the plan was made, each with its reason.

        If they use one object of a folder, such as a model, the others, such as its code, are kept with it.
        """
        if self.readers_since is None:
            return {}
        known = {item.name for item in self.items}
        readers = find_readers(self.account, self.prefix, since=self.readers_since, known=known)
        used = {uri: f"used by {reader.description}" for reader in readers for uri in reader.uris}
        folders = {
            item.name.rstrip("/"): used[location]
            for item in self.to_delete(OBJECTS)
            for uri in item.uris
            if (location := location_of(uri, used))
        }
        return {**used, **folders}

    def _delete_in_batches(self, uris: Sequence[str], sizes: Mapping[str, int]) -> None:
        batches = [uris[start : start + _BATCH] for start in range(0, len(uris), _BATCH)]
        items = [PlannedDeletion(kind=OBJECTS, name=first_names(batch), uris=tuple(batch)) for batch in batches]

        self.undeleted.update(uris)

        def note(batch: PlannedDeletion, failed: Mapping[str, ServiceError]) -> None:
            deleted = [uri for uri in batch.uris if uri not in failed]
            self.undeleted.difference_update(deleted)
            self.ledger.deleted_objects(len(deleted), sum(sizes[uri] for uri in deleted))
            for uri, error in failed.items():
                self.ledger.not_deleted(PlannedDeletion(kind="S3 object", name=uri), error)

        self._each(items, lambda batch: delete_objects(self.account, batch.uris), note)

    def without_objects(self, items: Items) -> Items:
        """Return the components or trials whose objects are deleted; the others are needed to find theirs again."""
        left = {place for uri in self.undeleted for place in accumulate(uri.split("/"), "{}/{}".format)}
        done: list[PlannedDeletion] = []
        for item in items:
            if left.isdisjoint([*item.uris, f"{self.prefix}/jobs/{item.name}"]):
                done.append(item)
            else:
                self.ledger.kept(item, "some of its S3 objects could not be deleted")
        return done

    def without_artifacts(self, components: Items) -> Items:
        """Delete the lineage artifacts of components, and return the components for which that succeeded."""
        done: list[PlannedDeletion] = []

        def note(component: PlannedDeletion, artifacts: Sequence[str]) -> None:
            for arn in artifacts:
                self.ledger.deleted(PlannedDeletion(kind="artifact", name=arn))
            done.append(component)

        self._each(components, self._delete_artifacts, note)
        return done

    def _delete_artifacts(self, component: PlannedDeletion) -> Sequence[str]:
        own = f"{self.prefix}/steps/{component.name}/"
        return delete_artifacts(self.account, component.arn, [uri for uri in component.uris if uri.startswith(own)])

    def delete(self, items: Items) -> None:
        """Delete items of one kind."""

        def note(item: PlannedDeletion, existed: bool) -> None:
            (self.ledger.deleted if existed else self.ledger.settled)(item)

        self._each(items, self._delete, note)

    def _delete(self, item: PlannedDeletion) -> bool:
        if item.kind == "endpoint":
            return delete_endpoint_alone(self.account, item.name)
        if item.kind == UPLOAD:
            return abort_uploads(self.account, item.name)
        return delete_named(self.account, item.kind, item.name)

    def delete_experiment(self) -> None:
        """Delete the experiment if nothing is left in it: a later cleanup finds what is left by the experiment."""
        experiments = self.to_delete("experiment")
        if self.ledger.failed:
            for experiment in experiments:
                self.ledger.kept(experiment, "some of its contents could not be deleted; clean up again")
            return
        if self.has_used_data:
            for experiment in experiments:
                self.ledger.kept(experiment, DATA_IN_USE)
            return
        empty: list[PlannedDeletion] = []

        def note(experiment: PlannedDeletion, left: Sequence[str]) -> None:
            if left:
                self.ledger.kept(experiment, f"it still has the trial {left[0]}")
            else:
                empty.append(experiment)

        self._each(experiments, self._trials_left, note)
        self.delete(empty)

    def _trials_left(self, experiment: PlannedDeletion) -> Sequence[str]:
        try:
            return list(trial_arns(self.account, experiment.name))
        except ServiceError as error:
            if is_missing(error):
                return []
            raise

    def _each(
        self,
        items: Iterable[PlannedDeletion],
        act: Callable[[PlannedDeletion], R],
        done: Callable[[PlannedDeletion, R], None],
    ) -> None:
        """Act on items in parallel, and pass each result to *done*; an item that fails does not stop the others."""

        def note(item: PlannedDeletion, outcome: R | MnistTrackingError) -> None:
            if isinstance(outcome, AccessDeniedError) and outcome.is_expired:
                raise outcome
            if isinstance(outcome, MnistTrackingError):
                self.ledger.not_deleted(item, outcome)
            else:
                done(item, outcome)

        for_each(act, items, note, max_parallel=self.max_parallel)
