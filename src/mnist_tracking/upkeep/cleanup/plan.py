"""Plan a cleanup: what would be deleted, what would be kept, and why. Planning changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Self

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import LEAVING_TAG, SWEEP_COMPONENT
from mnist_tracking._aws.endpoints import HOSTING
from mnist_tracking._aws.experiments import read_experiment
from mnist_tracking._aws.storage import experiment_folder
from mnist_tracking._values.checks import check_count, require_name, require_zone
from mnist_tracking._values.records import Component, NamedTrial, trial_name_of
from mnist_tracking._values.shared import PREPROCESSING, latest_data, latest_good
from mnist_tracking._values.tables import Kind, Table
from mnist_tracking._values.text import html_table, nearest, plural, printable, short_repr
from mnist_tracking.errors import ConfigError, NotFoundError
from mnist_tracking.upkeep.cleanup.execution import execute
from mnist_tracking.upkeep.cleanup.inventory import Inventory, take_inventory
from mnist_tracking.upkeep.cleanup.layout import Layout
from mnist_tracking.upkeep.cleanup.objects import ObjectPlanner
from mnist_tracking.upkeep.cleanup.records import (
    DATA_IN_USE,
    FOREIGN,
    KEPT_DATA,
    OBJECTS,
    CleanupReport,
    PlannedDeletion,
    by_reason,
    first_names,
    in_bytes,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CleanupPlan", "make_plan"]

_COLUMNS: dict[str, Kind] = {
    "kind": "string",
    "name": "string",
    "trial": "string",
    "objects": "integer",
    "size_bytes": "integer",
    "deletable": "boolean",
    "reason": "string",
}
_CLOCKS_DIFFER_BY = timedelta(minutes=10)
_JOB = "training jobs cannot be deleted on AWS"


@attrs.frozen(repr=False)
class CleanupPlan:
    """
    What a cleanup would do. A snapshot: creating it changes nothing.

    `Workspace.cleanup_plan` and `ExperimentRunner.cleanup_plan` create plans.

    Attributes:
        experiment: The experiment's name.
        items: What would be deleted and what would be kept, in order of deletion.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     runner = ExperimentRunner(workspace, "churn")
        ...     with runner.trial(name="baseline"):
        ...         pass
        ...     plan = runner.cleanup_plan()
        ...     print(plan)
        ...     print(plan.execute())
        cleanup of experiment churn
        deletes 1 trial component: churn-training-...
        deletes 1 trial: baseline
        deletes 1 experiment: churn
        deleted 1 trial component, 1 trial, 1 experiment, 0 S3 objects
    """

    experiment: str
    items: tuple[PlannedDeletion, ...]
    _account: Account = attrs.field(eq=False, alias="account")
    _prefix: str = attrs.field(eq=False, alias="prefix")
    _readers_since: datetime | None = attrs.field(eq=False, alias="readers_since")
    _on_end: Callable[[], None] | None = attrs.field(default=None, eq=False, alias="on_end")

    def __copy__(self) -> Self:
        return self  # a copy, too, tells the runner when it is executed

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        members = self.experiment, self.items, self._account, self._prefix, self._readers_since
        return type(self), members  # without the runner

    def __repr__(self) -> str:
        counts = f"{len(self.to_delete)} to delete, {len(self.to_keep)} to keep"
        return f"<CleanupPlan of {self.experiment!r}: {counts}, {in_bytes(self.size_bytes)}>"

    @property
    def to_delete(self) -> tuple[PlannedDeletion, ...]:
        """The items that would be deleted."""
        return tuple(item for item in self.items if item.deletable)

    @property
    def to_keep(self) -> tuple[PlannedDeletion, ...]:
        """The items that would be kept, each with its reason."""
        return tuple(item for item in self.items if not item.deletable)

    @property
    def size_bytes(self) -> int:
        """The total size of the S3 objects that would be deleted."""
        return sum(item.size_bytes or 0 for item in self.to_delete)

    def __str__(self) -> str:
        running = [item.name for item in self.items if item.is_running]
        lines = [f"cleanup of experiment {self.experiment}"]
        lines += [f"stops {plural(len(running), 'training job')}: {first_names(running)}"] if running else []
        lines += [f"deletes {line}" for line in self._deletions_by_kind()] or ["deletes nothing"]
        lines += [f"keeps {line}" for line in by_reason((item.kind, item.name, item.reason) for item in self.to_keep)]
        return printable("\n".join(lines))

    def _deletions_by_kind(self) -> list[str]:
        by_kind: dict[str, list[PlannedDeletion]] = {}
        for item in self.to_delete:
            by_kind.setdefault(item.kind, []).append(item)
        objects = by_kind.pop(OBJECTS, [])
        lines = [
            f"{plural(len(items), kind)}: {first_names([i.name for i in items])}" for kind, items in by_kind.items()
        ]
        if objects:
            folders = [item.name.removeprefix(f"{self._prefix}/") or "./" for item in objects]
            count = sum(item.objects or 0 for item in objects)
            size = in_bytes(self.size_bytes)
            lines.append(f"{plural(count, 'S3 object')} ({size}) below {self._prefix}/: {first_names(folders)}")
        return lines

    def _repr_html_(self) -> str:
        frame = self.dataframe()[["kind", "name", "trial", "size_bytes", "reason"]]
        shown = frame.rename(columns={"size_bytes": "bytes", "reason": "kept because"})
        return html_table(shown, title=str(self).splitlines()[0])

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per item: kind, name, trial, objects, size_bytes, deletable and reason."""
        return Table(_COLUMNS, [{name: getattr(item, name) for name in _COLUMNS} for item in self.items]).dataframe()

    def execute(self, *, max_parallel: int = 4, on_progress: Callable[[int, int], None] | None = None) -> CleanupReport:
        """
        Delete the items in `to_delete`, and nothing else.

        Running jobs are stopped first. An item that cannot be deleted does not stop the others. Items that are already
        gone are skipped; what was created since the plan was made is kept, and so is everything it needs.
        **Resuming.** After an interruption or errors, execute the plan again, or make a new one: it finds the rest.

        Args:
            max_parallel: How many items to delete at once. When AWS throttles, all of them slow down together.
            on_progress: Called with the number of items done and the total.

        Returns:
            What was deleted, what was kept and why, and what failed.

        Raises:
            ConfigError: If *max_parallel* is less than 1. Nothing was deleted.
            AccessDeniedError: If the credentials expire.
        """
        check_count("max_parallel", max_parallel)
        try:
            return execute(
                self._account,
                self.experiment,
                self.items,
                prefix=self._prefix,
                readers_since=self._readers_since,
                max_parallel=max_parallel,
                on_progress=on_progress,
            )
        finally:
            if self._on_end is not None:
                self._on_end()


def make_plan(
    account: Account,
    experiment: str,
    *,
    trials: Iterable[NamedTrial | str] | None,
    older_than: timedelta | datetime | None,
    keep_data: bool,
    include_foreign: bool,
    ignore_readers: bool,
) -> CleanupPlan:
    """Plan the cleanup of an experiment; see `Workspace.cleanup_plan`."""
    require_name("an experiment", experiment)
    before = None if older_than is None else _moment(older_than)
    summary = read_experiment(account, experiment)
    prefix = experiment_folder(account, account.bucket_name, summary.name)
    readers_since = None if ignore_readers else datetime.now(UTC) - _CLOCKS_DIFFER_BY
    inventory = take_inventory(account, summary, prefix, with_readers=not ignore_readers)
    planner = _Planner(
        inventory,
        Layout(inventory, prefix),
        chosen=_chosen(inventory, trials, before),
        is_whole=trials is None and older_than is None,
        keep_data=keep_data,
        include_foreign=include_foreign,
    )
    return CleanupPlan(summary.name, tuple(planner.items()), account, prefix, readers_since)


def _moment(older_than: timedelta | datetime) -> datetime:
    if isinstance(older_than, timedelta):
        return datetime.now(UTC) - older_than
    if not isinstance(older_than, datetime):
        raise ConfigError(f"older_than={short_repr(older_than)}; expected a timedelta or a datetime.")
    return require_zone(f"older_than={older_than!r}", older_than)


def _chosen(inventory: Inventory, trials: Iterable[NamedTrial | str] | None, before: datetime | None) -> frozenset[str]:
    if trials is not None and (isinstance(trials, str) or not isinstance(trials, Iterable)):
        shown = short_repr(trials)
        raise ConfigError(f"trials={shown}; expected a list of trials, such as [{shown}].")
    names = inventory.trials if trials is None else [trial_name_of(trial) for trial in trials]
    stored = {name.lower(): name for name in inventory.trials}
    for name in names:
        if name.lower() not in stored:
            raise NotFoundError("trial", name, nearest(name, inventory.trials))
    found = (stored[name.lower()] for name in names)
    return frozenset(name for name in found if before is None or inventory.trials[name].created < before)


@attrs.frozen(kw_only=True)
class _Planner:
    """
    Decides for each thing in an inventory whether it is deleted.

    Attributes:
        inventory: Everything that exists of the experiment.
        layout: Where its objects are.
        chosen: The trials to delete, if they may be deleted.
        is_whole: Whether the whole experiment is to be deleted, and not some of its trials.
        keep_data: Whether to keep the uploaded datasets, and the step that recorded them.
        include_foreign: Whether to delete what others created.
    """

    inventory: Inventory = attrs.field(kw_only=False)
    layout: Layout = attrs.field(kw_only=False)
    chosen: frozenset[str]
    is_whole: bool
    keep_data: bool
    include_foreign: bool

    def items(self) -> Iterator[PlannedDeletion]:
        """Yield everything in order of deletion; the experiment is last, by which an interrupted cleanup resumes."""
        components = [self._component(component) for component in self._components]
        deletable = frozenset(item.name for item in components if item.deletable)
        shared_last = sorted(components, key=lambda item: item.trial is None)
        trials = [self._trial(name) for name in self.inventory.trials if name in self.chosen]
        objects = list(self._objects(deletable))
        yield from self._jobs(deletable)
        yield from self._hosted(deletable)
        yield from objects
        yield from shared_last
        yield from trials
        if self.is_whole:
            yield self._experiment([*components, *trials, *objects])

    @cached_property
    def _components(self) -> list[Component]:
        """The components of the chosen trials, and those that an interrupted cleanup has detached already."""
        return [
            c
            for c in self.inventory.components
            if self.is_whole or not self.chosen.isdisjoint(c.trials) or (not c.trials and self._is_detached(c))
        ]

    def _is_detached(self, component: Component) -> bool:
        """Whether a component in no trial is no sweep, whose record goes with the experiment."""
        return LEAVING_TAG in component.tags and component.display_name != SWEEP_COMPONENT

    def _component(self, component: Component) -> PlannedDeletion:
        reason = self._reason_to_keep(component)
        return PlannedDeletion(
            kind="trial component",
            name=component.name,
            trial=component.only_trial,
            deletable=not reason,
            reason=reason,
            arn=component.arn,
            uris=tuple(self.layout.data_of(component)),
            is_tagged=component.tags.get(LEAVING_TAG) == self.inventory.experiment,
        )

    def _reason_to_keep(self, component: Component) -> str:
        elsewhere = [parent for parent in component.parents if not self._deletes_trial(parent[0])]
        if not self._may_delete(is_ours=component.name in self.inventory.ours):
            return FOREIGN
        if elsewhere:
            (trial, experiment), more = elsewhere[0], len(elsewhere) - 1
            return f"also in trial {trial} of experiment {experiment}" + (f" and {more} more" if more else "")
        if self._is_kept_data(component):
            return KEPT_DATA
        if not self.is_whole and component.name in self._shared_with_later_trials:
            return "later trials share it"
        return ""

    def _may_delete(self, *, is_ours: bool) -> bool:
        return is_ours or self.include_foreign

    def _deletes_trial(self, trial: str) -> bool:
        return trial in self.chosen and self._may_delete(is_ours=self.inventory.trials[trial].is_ours)

    def _is_kept_data(self, component: Component) -> bool:
        return self.keep_data and component.display_name == PREPROCESSING and self.layout.is_shared(component)

    @cached_property
    def _shared_with_later_trials(self) -> frozenset[str]:
        shared = [component for component in self.inventory.components if self.layout.is_shared(component)]
        data = latest_data(shared)
        return frozenset([*latest_good(shared).values(), *([data.name] if data else [])])

    def _objects(self, deletable: frozenset[str]) -> Iterator[PlannedDeletion]:
        return ObjectPlanner(
            inventory=self.inventory,
            layout=self.layout,
            components=deletable,
            trials=frozenset(name for name in self.inventory.trials if self._deletes_trial(name)),
            kept_data=frozenset(c.name for c in self.inventory.components if self._is_kept_data(c)),
            is_whole=self.is_whole,
            keep_data=self.keep_data,
            include_foreign=self.include_foreign,
        ).items()

    def _jobs(self, deletable: frozenset[str]) -> Iterator[PlannedDeletion]:
        for component in self._components:
            if component.job_name and component.name in deletable:
                is_running = component.status in ("InProgress", "Stopping")
                yield _job(component.job_name, next(iter(component.trials), None), is_running=is_running)
        for trial in self.inventory.trials.values():
            if trial.hidden_job and self._deletes_trial(trial.name):
                yield _job(trial.hidden_job, trial.name, is_running=True)

    def _hosted(self, deletable: frozenset[str]) -> Iterator[PlannedDeletion]:
        hosted = [found for found in self.inventory.hosted if found.component.name in deletable]
        for kind in HOSTING:
            for found in hosted:
                if found.kind == kind:
                    yield PlannedDeletion(kind=kind, name=found.name, trial=next(iter(found.component.trials), None))

    def _trial(self, name: str) -> PlannedDeletion:
        reason = "" if self._deletes_trial(name) else FOREIGN
        return PlannedDeletion(kind="trial", name=name, trial=name, deletable=not reason, reason=reason)

    def _experiment(self, contents: Iterable[PlannedDeletion]) -> PlannedDeletion:
        reason = ""
        if not self._may_delete(is_ours=self.inventory.is_ours):
            reason = FOREIGN
        elif any(item.kind == "trial" and not item.deletable for item in contents):
            reason = "it still has trials"
        elif any(item.reason == KEPT_DATA for item in contents):
            reason = KEPT_DATA
        elif any(item.kind == OBJECTS and item.reason not in ("", FOREIGN) for item in contents):
            reason = DATA_IN_USE
        return PlannedDeletion(kind="experiment", name=self.inventory.experiment, deletable=not reason, reason=reason)


def _job(name: str, trial: str | None, *, is_running: bool) -> PlannedDeletion:
    return PlannedDeletion(
        kind="training job", name=name, trial=trial, deletable=False, reason=_JOB, is_running=is_running
    )
