"""CleanupPlan: what goes, what stays, and why, before anything is deleted."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._values.text import html_table, plural
from mnist_tracking.errors import ConfigError
from mnist_tracking.upkeep.cleanup.report import CleanupReport, grouped, in_bytes, short_repr

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["OBJECTS", "CleanupPlan", "PlannedDeletion"]

OBJECTS = "S3 objects"
_COLUMNS = ("kind", "name", "trial", "objects", "size_bytes", "deletable", "reason")


@attrs.frozen(kw_only=True)
class PlannedDeletion:
    """
    One thing that cleaning up is about.

    Attributes:
        kind: ``"training job"``, ``"endpoint"``, ``"endpoint config"``, ``"model"``, ``"S3 objects"``,
            ``"trial component"``, ``"trial"`` or ``"experiment"``.
        name: Its name; of S3 objects, where they are.
        trial: The trial that it belongs to; None if there is none, or more than one.
        objects: How many S3 objects there are; None for other kinds.
        size_bytes: How large they are together; None for other kinds.
        deletable: Whether it goes.
        reason: Why it stays; empty if it goes.
        is_running: Whether it is a job that still runs, and is stopped first.
        arn: Of a trial component, its ARN.
        uris: Of S3 objects, where each is; of a trial component, where its data are.
    """

    kind: str
    name: str
    trial: str | None = None
    objects: int | None = None
    size_bytes: int | None = None
    deletable: bool = True
    reason: str = ""
    is_running: bool = False
    arn: str = attrs.field(default="", repr=False)
    uris: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen(repr=False)
class CleanupPlan:
    """
    What cleaning up would do. A snapshot: making it changed nothing.

    Made by `Workspace.cleanup_plan` and `ExperimentRunner.cleanup_plan`.

    Attributes:
        experiment: The experiment's name.
        items: What goes and what stays, in order of deletion.

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
    _on_end: Callable[[], None] | None = attrs.field(default=None, eq=False, alias="on_end")

    def __copy__(self) -> Self:
        return self  # as of every frozen value; the copy, too, tells the runner when it was executed

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.experiment, self.items, self._account, self._prefix)  # no runner is there to tell

    def __repr__(self) -> str:
        going, staying = len(self.going), len(self.staying)
        return f"<CleanupPlan of {self.experiment!r}: {going} go, {staying} stay, {in_bytes(self.size_bytes)}>"

    @property
    def going(self) -> tuple[PlannedDeletion, ...]:
        """What goes."""
        return tuple(item for item in self.items if item.deletable)

    @property
    def staying(self) -> tuple[PlannedDeletion, ...]:
        """What stays; each says why."""
        return tuple(item for item in self.items if not item.deletable)

    @property
    def size_bytes(self) -> int:
        """How large the S3 objects are that go."""
        return sum(item.size_bytes or 0 for item in self.going)

    def __str__(self) -> str:
        running = [item.name for item in self.items if item.is_running]
        lines = [f"cleanup of experiment {self.experiment}"]
        lines += [f"stops {plural(len(running), 'training job')}: {short_repr(running)}"] if running else []
        lines += [f"deletes {line}" for line in self._going_in_words()] or ["deletes nothing"]
        lines += [f"keeps {line}" for line in grouped((item.kind, item.name, item.reason) for item in self.staying)]
        return "\n".join(lines)

    def _going_in_words(self) -> list[str]:
        by_kind: dict[str, list[PlannedDeletion]] = {}
        for item in self.going:
            by_kind.setdefault(item.kind, []).append(item)
        objects = by_kind.pop(OBJECTS, [])
        lines = [
            f"{plural(len(items), kind)}: {short_repr([i.name for i in items])}" for kind, items in by_kind.items()
        ]
        if objects:
            folders = [item.name.removeprefix(f"{self._prefix}/") or "./" for item in objects]
            count = sum(item.objects or 0 for item in objects)
            size = in_bytes(self.size_bytes)
            lines.append(f"{plural(count, 'S3 object')} ({size}) below {self._prefix}/: {short_repr(folders)}")
        return lines

    def _repr_html_(self) -> str:
        frame = self.dataframe()[["kind", "name", "trial", "size_bytes", "reason"]]
        shown = frame.rename(columns={"size_bytes": "bytes", "reason": "stays because"})
        return html_table(shown, title=str(self).splitlines()[0])

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per thing: kind, name, trial, objects, size_bytes, deletable and reason."""
        import pandas as pd

        rows = [{name: getattr(item, name) for name in _COLUMNS} for item in self.items]
        return pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"objects": "Int64", "size_bytes": "Int64"})

    def execute(self, *, max_parallel: int = 4, on_progress: Callable[[int, int], None] | None = None) -> CleanupReport:
        """
        Delete what the plan says that goes, and nothing else.

        Running jobs are stopped first. One thing that cannot be deleted does not hold up the others. What is gone
        meanwhile is fine; what was made meanwhile stays, and so does what it hangs on. **Carrying on.** Interrupted,
        or after errors, call it again, or make a new plan: it finds the rest.

        Args:
            max_parallel: How many things are deleted at once. All slow down together when the service is throttled.
            on_progress: Told how many things are done, and how many there are.

        Returns:
            What went, what stayed and why, and what failed.

        Raises:
            ConfigError: If *max_parallel* is less than 1. Nothing was deleted.
            AccessDeniedError: If the credentials expire meanwhile.
        """
        from mnist_tracking.upkeep.cleanup.execution import execute
        from mnist_tracking.upkeep.cleanup.ledger import Ledger

        if isinstance(max_parallel, bool) or not isinstance(max_parallel, int) or max_parallel < 1:
            raise ConfigError(f"max_parallel={max_parallel!r}; a whole number from 1 is needed.")
        ledger = Ledger(self, on_progress)
        try:
            execute(self._account, self, self._prefix, ledger, max_parallel)
        finally:
            if self._on_end is not None:
                self._on_end()
        return ledger.report()
