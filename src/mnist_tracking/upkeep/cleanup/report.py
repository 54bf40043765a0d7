"""What cleaning up did, in words."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from mnist_tracking._values.text import html_table, plural
from mnist_tracking.errors import MnistTrackingError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CleanupReport", "grouped", "in_bytes", "short_repr"]

_MOST_NAMES = 3


@attrs.frozen
class CleanupReport:
    """
    What cleaning up did.

    Attributes:
        deleted: Kind and name of what is gone, in order; of an artifact its ARN. What was gone before is left out, and
            so are S3 objects.
        kept: Kind, name and reason of what stayed.
        objects: How many S3 objects were deleted.
        size_bytes: How large those were.
        failed: Kind, name and error of what should have gone and did not. Calling again carries on.
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
        kept = [f"kept {line}" for line in grouped(self.kept)]
        failed = [
            f"not deleted: {line}" for line in grouped((kind, name, str(error)) for kind, name, error in self.failed)
        ]
        return "\n".join(["deleted " + ", ".join(parts), *kept, *failed])

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per thing: kind, name, what became of it (deleted, kept or failed), and why."""
        import pandas as pd

        rows = [
            *((kind, name, "deleted", "") for kind, name in self.deleted),
            *((kind, name, "kept", reason) for kind, name, reason in self.kept),
            *((kind, name, "failed", str(error)) for kind, name, error in self.failed),
        ]
        return pd.DataFrame(rows, columns=["kind", "name", "outcome", "reason"])

    def _repr_html_(self) -> str:
        return html_table(self.dataframe())


def grouped(facts: Iterable[tuple[str, str, str]]) -> list[str]:
    """
    Say why things stay: one line for all of a kind that stay for the same reason.

    Example:
        >>> grouped([("trial", "a", "it is not ours"), ("trial", "b", "it is not ours"), ("experiment", "c", "in use")])
        ['2 trials (a, b): it is not ours', 'experiment c: in use']
    """
    names: dict[tuple[str, str], list[str]] = {}
    for kind, name, reason in facts:
        names.setdefault((kind, reason), []).append(name)
    return [
        f"{kind} {found[0]}: {reason}"
        if len(found) == 1
        else f"{plural(len(found), kind)} ({short_repr(found)}): {reason}"
        for (kind, reason), found in names.items()
    ]


def short_repr(names: Sequence[str]) -> str:
    """Name the first of many things."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def in_bytes(size: float) -> str:
    """
    Say a size as people do.

    Example:
        >>> in_bytes(999), in_bytes(54_950_048)
        ('999 B', '55.0 MB')
    """
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"
