"""The items of a cleanup plan, the report on its execution, and the text of both."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from mnist_tracking._values.tables import Table
from mnist_tracking._values.text import html_table, plural, printable
from mnist_tracking.errors import MnistTrackingError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DATA_IN_USE",
    "FOREIGN",
    "KEPT_DATA",
    "OBJECTS",
    "UPLOAD",
    "CleanupReport",
    "PlannedDeletion",
    "by_reason",
    "first_names",
    "in_bytes",
]

OBJECTS = "S3 objects"
UPLOAD = "unfinished upload"
FOREIGN = "not created by mnist-tracking"
KEPT_DATA = "the data is kept"
DATA_IN_USE = "some of its data is in use"  # a later cleanup finds the data by the experiment
_MOST_NAMES = 3


@attrs.frozen(kw_only=True)
class PlannedDeletion:
    """
    One item of a cleanup plan.

    Attributes:
        kind: ``"training job"``, ``"endpoint"``, ``"endpoint config"``, ``"model"``, ``"S3 objects"``,
            ``"unfinished upload"``, ``"trial component"``, ``"trial"`` or ``"experiment"``.
        name: Its name; for S3 objects, their folder; for an upload, the URI of its object.
        trial: The trial it belongs to; None if it belongs to no trial, or to several.
        objects: The number of S3 objects; None for other kinds.
        size_bytes: The total size of the S3 objects; None for other kinds.
        deletable: Whether it will be deleted.
        reason: Why it is kept; empty if it will be deleted.
        is_running: Whether it is a running job, which is stopped first.
        arn: The ARN of a trial component.
        uris: The URIs of the S3 objects; for a trial component, of its data.
        is_tagged: Whether a cleanup finds a trial component without its trials.
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
    is_tagged: bool = attrs.field(default=False, repr=False)


@attrs.frozen
class CleanupReport:
    """
    The outcome of a cleanup.

    Attributes:
        deleted: Kind and name of everything that was deleted, in order; for an artifact, its ARN. Does not list what
            was already gone, nor S3 objects.
        kept: Kind, name and reason of everything that was kept.
        objects: The number of S3 objects deleted.
        size_bytes: The total size of the S3 objects deleted.
        failed: Kind, name and error of everything that could not be deleted. Running the cleanup again retries.
    """

    deleted: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str, str], ...]
    objects: int
    size_bytes: int = 0
    failed: tuple[tuple[str, str, MnistTrackingError], ...] = ()

    def __str__(self) -> str:
        counts: dict[str, int] = {}
        for kind, _ in self.deleted:
            counts[kind] = counts.get(kind, 0) + 1
        size = f" ({in_bytes(self.size_bytes)})" if self.size_bytes else ""
        parts = [*(plural(count, kind) for kind, count in counts.items()), f"{plural(self.objects, 'S3 object')}{size}"]
        kept = [f"kept {line}" for line in by_reason(self.kept)]
        failed = [
            f"not deleted: {line}" for line in by_reason((kind, name, str(error)) for kind, name, error in self.failed)
        ]
        return printable("\n".join(["deleted " + ", ".join(parts), *kept, *failed]))

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per item: kind, name, outcome (deleted, kept or failed) and reason."""
        rows = [
            *((kind, name, "deleted", "") for kind, name in self.deleted),
            *((kind, name, "kept", reason) for kind, name, reason in self.kept),
            *((kind, name, "failed", str(error)) for kind, name, error in self.failed),
        ]
        columns = ("kind", "name", "outcome", "reason")
        return Table(
            dict.fromkeys(columns, "string"), [dict(zip(columns, row, strict=True)) for row in rows]
        ).dataframe()

    def _repr_html_(self) -> str:
        return html_table(self.dataframe())


def by_reason(items: Iterable[tuple[str, str, str]]) -> list[str]:
    """
    Return a line for each kind and reason, from items of kind, name and reason.

    Example:
        >>> by_reason([("trial", "a", "in use"), ("trial", "b", "in use"), ("experiment", "c", "it still has trials")])
        ['2 trials (a, b): in use', 'experiment c: it still has trials']
    """
    names: dict[tuple[str, str], list[str]] = {}
    for kind, name, reason in items:
        names.setdefault((kind, reason), []).append(name)
    return [
        f"{kind} {found[0]}: {reason}"
        if len(found) == 1
        else f"{plural(len(found), kind)} ({first_names(found)}): {reason}"
        for (kind, reason), found in names.items()
    ]


def first_names(names: Sequence[str]) -> str:
    """
    Return the first few names, and how many more there are.

    Example:
        >>> first_names(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def in_bytes(size: float) -> str:
    """
    Return a size in the largest fitting unit.

    Example:
        >>> in_bytes(999), in_bytes(54_950_048)
        ('999 B', '55.0 MB')
    """
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"
