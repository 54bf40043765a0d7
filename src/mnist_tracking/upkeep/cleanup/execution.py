"""Delete what a plan says that goes, and nothing else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.endpoints import delete_endpoint_alone
from mnist_tracking._aws.errors import is_missing
from mnist_tracking._aws.experiments import add_tags, trials_of
from mnist_tracking._aws.jobs import stop_job, wait_for_job
from mnist_tracking._aws.removal import components_in, delete_artifacts, delete_named, meets, take_out, trials_with
from mnist_tracking._aws.storage import delete_objects, location_of, sizes_below
from mnist_tracking.errors import AccessDeniedError, MnistTrackingError, ServiceError
from mnist_tracking.upkeep.cleanup.inventory import LEAVING_TAG
from mnist_tracking.upkeep.cleanup.ledger import Ledger
from mnist_tracking.upkeep.cleanup.plan import OBJECTS, CleanupPlan, PlannedDeletion
from mnist_tracking.upkeep.cleanup.pool import for_each
from mnist_tracking.upkeep.cleanup.report import short_repr

__all__ = ["execute"]

R = TypeVar("R")
Items = Sequence[PlannedDeletion]
_BATCH = 1000  # as many objects as S3 deletes in one request


def execute(account: Account, plan: CleanupPlan, prefix: str, ledger: Ledger, max_parallel: int) -> None:
    """
    Delete in an order in which nothing hangs on what goes; the experiment last, by which what is left is found.

    Raises:
        AccessDeniedError: If the credentials expire meanwhile.
    """
    execution = _Execution(account, plan, prefix, ledger, max_parallel)
    execution.stop_jobs()
    execution.delete_hosted()
    leaving = execution.prepare_components()
    empty = execution.empty_trials()
    free = execution.taken_out(leaving)
    execution.delete_objects()
    execution.delete(execution.without_artifacts(free))
    execution.delete(empty)
    execution.delete_experiments()


@attrs.define
class _Execution:
    account: Account
    plan: CleanupPlan
    prefix: str
    ledger: Ledger
    max_parallel: int
    trials: frozenset[str] = attrs.field(init=False)  # that go
    staying: set[str] = attrs.field(factory=set, init=False)  # components
    removable: set[str] = attrs.field(factory=set, init=False)  # components that may be taken out of the plan's trials

    @trials.default
    def _going_trials(self) -> frozenset[str]:
        return frozenset(item.name for item in self.going("trial"))

    def going(self, kind: str) -> Items:
        return [item for item in self.plan.going if item.kind == kind]

    def _each(
        self,
        items: Iterable[PlannedDeletion],
        act: Callable[[PlannedDeletion], R],
        done: Callable[[PlannedDeletion, R], None],
    ) -> None:
        """Act on several at once, and take note of each; one that fails does not hold up the others."""

        def note(item: PlannedDeletion, outcome: R | MnistTrackingError) -> None:
            if isinstance(outcome, AccessDeniedError) and outcome.is_expired:
                raise outcome
            if isinstance(outcome, MnistTrackingError):
                self.ledger.not_deleted(item, outcome)
            else:
                done(item, outcome)

        for_each(act, items, note, max_parallel=self.max_parallel)

    def stop_jobs(self) -> None:
        """Ask all of them before waiting for any."""
        stopping: list[PlannedDeletion] = []
        running = [item for item in self.plan.items if item.is_running]
        self._each(running, lambda job: stop_job(self.account, job.name), lambda job, _: stopping.append(job))
        self._each(
            stopping,
            lambda job: meets(lambda: wait_for_job(self.account, job.name)),
            lambda job, _: self.ledger.settled(job),
        )

    def delete_hosted(self) -> None:
        """Delete endpoints before what they need; of one that cannot be deleted, all stays."""
        self.delete(self.going("endpoint"))
        alive = {name for kind, name, _ in self.ledger.failed if kind == "endpoint"}
        for kind in ("endpoint config", "model"):
            for item in self.going(kind):
                if item.name in alive:
                    self.ledger.kept(item, "its endpoint could not be deleted")
            self.delete([item for item in self.going(kind) if item.name not in alive])

    def delete(self, items: Items) -> None:
        """Delete things of one kind."""

        def note(item: PlannedDeletion, was_there: bool) -> None:
            (self.ledger.deleted if was_there else self.ledger.settled)(item)

        self._each(items, self._delete, note)

    def _delete(self, item: PlannedDeletion) -> bool:
        if item.kind == "endpoint":
            return delete_endpoint_alone(self.account, item.name)
        return delete_named(self.account, item.kind, item.name)

    def prepare_components(self) -> Mapping[PlannedDeletion, Sequence[str]]:
        """Return the components that go, marked as such, with their trials; one needed elsewhere by now stays."""
        going, leaving = self.going("trial component"), dict[PlannedDeletion, Sequence[str]]()
        self.removable = {item.name for item in self.plan.staying if item.kind == "trial component"}
        self.staying = self.removable | {item.name for item in going}

        def note(item: PlannedDeletion, trials: Sequence[str] | None) -> None:
            self.removable.add(item.name)
            if trials and (elsewhere := self._elsewhere(trials)):
                self.ledger.kept(item, f"also in trial {elsewhere[0]}, since the plan was made")
                return
            self.staying.remove(item.name)
            if trials is None:
                self.ledger.settled(item)
            else:
                leaving[item] = trials

        needed = {item.name: why for item in going if (why := self._why_needed(item))}
        for item in going:
            if item.name in needed:
                self.ledger.kept(item, needed[item.name])
        self._each([item for item in going if item.name not in needed], self._prepare, note)
        return leaving

    def _why_needed(self, component: PlannedDeletion) -> str:
        """Say what could not be ended that is found again by a component, so that the component must stay."""
        for kind, name, _ in self.ledger.failed:
            if kind == "training job" and component.name == f"{name}-aws-training-job":
                return f"its training job {name} could not be stopped"
            if any(uri.endswith(f":endpoint/{name}") for uri in component.uris):
                return f"its {kind} {name} could not be deleted"
        return ""

    def _prepare(self, component: PlannedDeletion) -> Sequence[str] | None:
        """Mark a component that goes, and return the trials that it is in; None if it is gone."""
        try:
            trials = trials_with(self.account, component.name)
        except ServiceError as error:
            if is_missing(error):
                return None
            raise
        if not self._elsewhere(trials):
            add_tags(self.account, component.arn, {LEAVING_TAG: self.plan.experiment})
        return trials

    def _elsewhere(self, trials: Iterable[str]) -> Sequence[str]:
        """Return which of some trials stay."""
        return sorted(set(trials) - self.trials)

    def empty_trials(self) -> Items:
        """Take the plan's components out of its trials, and return the trials that are empty then."""
        empty: list[PlannedDeletion] = []

        def note(trial: PlannedDeletion, held: Sequence[str]) -> None:
            if held:
                self.ledger.kept(trial, f"it still has the step {held[0]}")
            else:
                empty.append(trial)

        self._each(self.going("trial"), self._empty, note)
        return empty

    def _empty(self, trial: PlannedDeletion) -> Sequence[str]:
        """Take components out of a trial, and return those that it still has."""
        try:
            names = components_in(self.account, TrialName=trial.name)
        except ServiceError as error:
            if is_missing(error):
                return []
            raise
        for name in self.removable.intersection(names):
            take_out(self.account, trial.name, name)
        return [name for name in names if name not in self.removable]

    def taken_out(self, leaving: Mapping[PlannedDeletion, Sequence[str]]) -> Items:
        """Return the components that are in no trial any more; of one that is, the data stay too."""
        full = {name for kind, name, _ in self.ledger.failed if kind == "trial"}
        stuck = {item: held for item, trials in leaving.items() if (held := full.intersection(trials))}
        for item, held in stuck.items():
            self.staying.add(item.name)
            self.ledger.kept(item, f"it could not be taken out of the trial {min(held)}")
        return [item for item in leaving if item not in stuck]

    def delete_objects(self) -> None:
        """Delete the plan's objects, and those that its jobs wrote when they were stopped; data of what stays stay."""
        there, needed = sizes_below(self.account, f"{self.prefix}/"), self._needed_data()
        stopped = {f"{self.prefix}/jobs/{item.name}" for item in self.plan.items if item.is_running}
        planned = {uri for item in self.going(OBJECTS) for uri in item.uris}
        found = [uri for uri in there if uri in planned or location_of(uri, stopped)]
        self._delete_in_batches([uri for uri in found if location_of(uri, needed) is None], there)
        for item in self.going(OBJECTS):
            users = {needed[location] for uri in item.uris if (location := location_of(uri, needed))}
            if users:
                self.ledger.kept(item, f"data of {min(users)}")
            else:
                self.ledger.settled(item)

    def _needed_data(self) -> Mapping[str, str]:
        """Return where the data of the components are that stay, each with its component."""
        components = [item for item in self.plan.items if item.kind == "trial component" and item.name in self.staying]
        return {uri: item.name for item in components for uri in item.uris}

    def _delete_in_batches(self, uris: Sequence[str], sizes: Mapping[str, int]) -> None:
        batches = [uris[start : start + _BATCH] for start in range(0, len(uris), _BATCH)]
        items = [PlannedDeletion(kind=OBJECTS, name=short_repr(batch), uris=tuple(batch)) for batch in batches]

        def note(batch: PlannedDeletion, refused: Mapping[str, ServiceError]) -> None:
            gone = [uri for uri in batch.uris if uri not in refused]
            self.ledger.deleted_objects(len(gone), sum(sizes[uri] for uri in gone))
            for uri, error in refused.items():
                self.ledger.not_deleted(PlannedDeletion(kind="S3 object", name=uri), error)

        self._each(items, lambda batch: delete_objects(self.account, batch.uris), note)

    def without_artifacts(self, components: Items) -> Items:
        """Delete what the lineage has of components that go, and return the components of which that is gone."""
        gone: list[PlannedDeletion] = []

        def note(component: PlannedDeletion, artifacts: Sequence[str]) -> None:
            for arn in artifacts:
                self.ledger.deleted(PlannedDeletion(kind="artifact", name=arn))
            gone.append(component)

        self._each(components, lambda component: delete_artifacts(self.account, component.arn), note)
        return gone

    def delete_experiments(self) -> None:
        """It goes only when nothing stays in it: by it, the rest is found again."""
        going = self.going("experiment")
        if self.ledger.failed:
            for experiment in going:
                self.ledger.kept(experiment, "not all of it could be deleted; clean up again")
            return
        empty: list[PlannedDeletion] = []

        def note(experiment: PlannedDeletion, left: Sequence[str]) -> None:
            if left:
                self.ledger.kept(experiment, f"it still has the trial {left[0]}")
            else:
                empty.append(experiment)

        self._each(going, self._trials_left, note)
        self.delete(empty)

    def _trials_left(self, experiment: PlannedDeletion) -> Sequence[str]:
        try:
            return list(trials_of(self.account, experiment.name))
        except ServiceError as error:
            if is_missing(error):
                return []
            raise
