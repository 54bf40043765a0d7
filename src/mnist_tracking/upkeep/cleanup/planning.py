"""Decide what goes and what stays, and why."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import EXPERIMENT_TAG
from mnist_tracking._aws.experiments import nearest
from mnist_tracking._aws.storage import experiment_folder, location_of
from mnist_tracking._values.checks import require_name, require_zone
from mnist_tracking._values.records import Component, NamedTrial, trial_name_of
from mnist_tracking._values.shared import PREPROCESSING, latest_data, latest_good
from mnist_tracking.errors import ConfigError, NotFoundError
from mnist_tracking.upkeep.cleanup.inventory import LEAVING_TAG, Inventory, take_inventory
from mnist_tracking.upkeep.cleanup.plan import OBJECTS, CleanupPlan, PlannedDeletion

__all__ = ["make_plan"]

_FOREIGN = "not made by mnist-tracking"
_DATA = "the data are kept"
_JOB = "training jobs cannot be deleted on AWS"


def make_plan(
    account: Account,
    experiment: str,
    *,
    trials: Iterable[NamedTrial | str] | None,
    older_than: timedelta | datetime | None,
    keep_data: bool,
    include_foreign: bool,
) -> CleanupPlan:
    """Plan the cleanup of an experiment; see `Workspace.cleanup_plan`."""
    require_name("an experiment", experiment)
    before = None if older_than is None else _moment(older_than)
    prefix = experiment_folder(account, account.bucket_name, experiment)
    there = take_inventory(account, experiment, prefix)
    planner = _Planner(
        there,
        prefix,
        chosen=_chosen(there, trials, before),
        is_whole=trials is None and older_than is None,
        keep_data=keep_data,
        include_foreign=include_foreign,
    )
    return CleanupPlan(experiment, tuple(planner.items()), account, prefix)


def _moment(older_than: timedelta | datetime) -> datetime:
    if isinstance(older_than, timedelta):
        return datetime.now(UTC) - older_than
    if not isinstance(older_than, datetime):
        raise ConfigError(f"older_than={older_than!r}; possible are a timedelta and a datetime.")
    return require_zone(f"older_than={older_than!r}", older_than)


def _chosen(there: Inventory, trials: Iterable[NamedTrial | str] | None, before: datetime | None) -> frozenset[str]:
    if trials is not None and (isinstance(trials, str) or not isinstance(trials, Iterable)):
        raise ConfigError(f"trials={trials!r}; a list of trials is needed, such as [{trials!r}].")
    named = there.trials if trials is None else [trial_name_of(trial) for trial in trials]
    for name in named:
        if name not in there.trials:
            raise NotFoundError("trial", name, nearest(name, list(there.trials)))
    return frozenset(name for name in named if before is None or there.trials[name].created < before)


@attrs.frozen(kw_only=True)
class _Planner:
    there: Inventory = attrs.field(kw_only=False)
    prefix: str = attrs.field(kw_only=False)
    chosen: frozenset[str]
    is_whole: bool
    keep_data: bool
    include_foreign: bool

    def items(self) -> Iterator[PlannedDeletion]:
        """Yield everything in order of deletion; the experiment goes last, so that what is left is found by it."""
        components = [self._component(component) for component in self._concerned()]
        going = {item.name for item in components if item.deletable}
        by_trials = sorted(components, key=lambda item: item.trial is None)  # what trials share comes last
        trials = [self._trial(name) for name in self.there.trials if name in self.chosen]
        yield from self._jobs(going)
        yield from self._hosted(going)
        yield from self._objects(going)
        yield from by_trials
        yield from trials
        if self.is_whole:
            yield self._experiment([*components, *trials])

    def _takes(self, *, is_ours: bool) -> bool:
        return is_ours or self.include_foreign

    def _leaves(self, trial: str) -> bool:
        return trial in self.chosen and self._takes(is_ours=self.there.trials[trial].is_ours)

    def _concerned(self) -> list[Component]:
        """Return the components of the chosen trials, and those that an interrupted cleanup has taken out of theirs."""
        return [
            c
            for c in self.there.components
            if self.is_whole or not self.chosen.isdisjoint(c.trials) or (not c.trials and LEAVING_TAG in c.tags)
        ]

    def _is_shared(self, component: Component) -> bool:
        """Whether it was prepared for all trials of the experiment."""
        return component.tags.get(EXPERIMENT_TAG) == self.there.experiment

    def _component(self, component: Component) -> PlannedDeletion:
        reason = self._reason_to_stay(component)
        return PlannedDeletion(
            kind="trial component",
            name=component.name,
            trial=_only_trial(component),
            deletable=not reason,
            reason=reason,
            arn=component.arn,
            uris=tuple(self._data_of(component)),
        )

    def _reason_to_stay(self, component: Component) -> str:
        elsewhere = [parent for parent in component.parents if not self._leaves(parent[0])]
        if not self._takes(is_ours=component.name in self.there.ours):
            return _FOREIGN
        if elsewhere:
            (trial, experiment), more = elsewhere[0], len(elsewhere) - 1
            return f"also in trial {trial} of experiment {experiment}" + (f" and {more} more" if more else "")
        if self._is_kept_data(component):
            return _DATA
        if not self.is_whole and component.name in self._shared_from_now_on:
            return "the trials that follow share it"
        return ""

    def _is_kept_data(self, component: Component) -> bool:
        return self.keep_data and component.display_name == PREPROCESSING and self._is_shared(component)

    @cached_property
    def _shared_from_now_on(self) -> frozenset[str]:
        shared = [component for component in self.there.components if self._is_shared(component)]
        data = latest_data(shared)
        return frozenset([*latest_good(shared).values(), *([data.name] if data else [])])

    def _jobs(self, going: set[str]) -> Iterator[PlannedDeletion]:
        for component in self._concerned():
            if component.job_name and component.name in going:
                yield PlannedDeletion(
                    kind="training job",
                    name=component.job_name,
                    trial=next(iter(component.trials), None),
                    deletable=False,
                    reason=_JOB,
                    is_running=component.status in ("InProgress", "Stopping"),
                )

    def _hosted(self, going: set[str]) -> Iterator[PlannedDeletion]:
        hosted = [found for found in self.there.hosted if found.component.name in going]
        for kind in ("endpoint", "endpoint config", "model"):
            for found in hosted:
                if found.kind == kind:
                    yield PlannedDeletion(kind=kind, name=found.name, trial=next(iter(found.component.trials), None))

    def _trial(self, name: str) -> PlannedDeletion:
        reason = "" if self._leaves(name) else _FOREIGN
        return PlannedDeletion(kind="trial", name=name, trial=name, deletable=not reason, reason=reason)

    def _experiment(self, inside: Iterable[PlannedDeletion]) -> PlannedDeletion:
        reason = ""
        if not self._takes(is_ours=self.there.is_ours):
            reason = _FOREIGN
        elif any(item.kind == "trial" and not item.deletable for item in inside):
            reason = "it still has trials"
        elif any(item.reason == _DATA for item in inside):
            reason = _DATA
        return PlannedDeletion(kind="experiment", name=self.there.experiment, deletable=not reason, reason=reason)

    def _data_of(self, component: Component) -> Iterator[str]:
        """Yield where the data of a component are: its own folders, and what it names."""
        yield from self._folders_of(component)
        yield from (artifact.uri.rstrip("/") for artifact in (*component.inputs, *component.outputs))

    def _folders_of(self, component: Component) -> Iterator[str]:
        """Yield the folders that nobody else writes to."""
        yield f"{self.prefix}/steps/{component.name}"
        if component.job_name:
            yield f"{self.prefix}/jobs/{component.job_name}"
        for artifact in component.outputs:
            _, is_endpoint, name = artifact.uri.rpartition(":endpoint/")
            if is_endpoint:
                yield f"{self.prefix}/models/{name}"
        if self._is_shared(component):
            yield from (artifact.uri.rstrip("/") for artifact in component.inputs)

    def _objects(self, going: set[str]) -> Iterator[PlannedDeletion]:
        """Yield the S3 objects by folder and by what becomes of them; of a part of the trials, only what is theirs."""
        stays, goes = self._staying_locations(going), self._going_locations(going)
        grouped: dict[tuple[str, str], list[str]] = {}
        for uri in self.there.objects:
            reason = stays.get(location_of(uri, stays) or "", "")
            if self.is_whole or location_of(uri, goes):
                grouped.setdefault((self._folder(uri), reason), []).append(uri)
        for (folder, reason), uris in grouped.items():
            yield PlannedDeletion(
                kind=OBJECTS,
                name=folder,
                trial=goes.get(folder.rstrip("/")),
                objects=len(uris),
                size_bytes=sum(self.there.objects[uri] for uri in uris),
                deletable=not reason,
                reason=reason,
                uris=tuple(uris),
            )

    def _staying_locations(self, going: set[str]) -> Mapping[str, str]:
        staying = [component for component in self.there.components if component.name not in going]
        stays = {
            uri: _DATA if self._is_kept_data(component) else f"data of {component.name}"
            for component in staying
            for uri in self._data_of(component)
        }
        kept = {f"{self.prefix}/jobs/{name}": f"data of {name}" for name in self.there.trials if not self._leaves(name)}
        return {**stays, **kept, **({f"{self.prefix}/data": _DATA} if self.keep_data else {})}

    def _going_locations(self, going: set[str]) -> Mapping[str, str | None]:
        """Return the locations of what goes, and the trial of each."""
        leaving = [component for component in self.there.components if component.name in going]
        trials = {f"{self.prefix}/jobs/{name}": name for name in self.there.trials if self._leaves(name)}
        return {
            **{uri: _only_trial(component) for component in leaving for uri in self._folders_of(component)},
            **trials,
        }

    def _folder(self, uri: str) -> str:
        """Return the folder of a job, a step, a dataset or a model, or what comes nearest to one."""
        *folders, _ = uri.removeprefix(f"{self.prefix}/").split("/")
        return "/".join([self.prefix, *folders[:2], ""])


def _only_trial(component: Component) -> str | None:
    return component.trials[0] if len(component.trials) == 1 else None
