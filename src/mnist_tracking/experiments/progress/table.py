"""The table of trials that train: the columns and rows that fit a terminal, as text, and all of them for a notebook."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.sparkline import BARS, bars_for, sparkline
from mnist_tracking._values.specs import JobSpec
from mnist_tracking._values.text import ellipsize, number, printable
from mnist_tracking.experiments.progress.standing import Row, Standing, known_epochs

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.text import Text

__all__ = ["TrialTable"]

_GAP, _LONGEST_LABEL, _METRICS = 2, 28, 3
_LONGEST_STATUS = len("downloading")
_STYLES = {"completed": "green", "failed": "red", "pruned": "yellow", "stopped": "yellow", "training": "cyan"}
_NOTEBOOK_ROWS = 40
_Line = list[tuple[str, str]]
"""A line as parts, each with its style."""


@attrs.frozen(eq=False)
class _Column:
    """
    A column of the table.

    Attributes:
        heading: Broken after a colon or an underline if it is wider than the cells.
        cells: One for each row.
        rank: The higher, the sooner it is left out if the terminal is too narrow.
        is_right: Whether the cells are aligned at the right.
        min_width: How wide it is at least, so that it does not move while its values change.
    """

    heading: str
    cells: Sequence[str]
    rank: int
    is_right: bool = True
    min_width: int = 0

    @property
    def headings(self) -> list[str]:
        """The lines of the heading."""
        return re.sub(r"(?<=[:_])(?=\w)", "\n", self.heading, count=1).split("\n")

    @cached_property
    def width(self) -> int:
        """How many columns of a terminal it takes."""
        return max(self.min_width, *map(_width, (*self.headings, *self.cells)))

    def padded(self, text: str) -> str:
        """Return text as wide as the column."""
        spaces = " " * (self.width - _width(text))
        return spaces + text if self.is_right else text + spaces


class TrialTable:
    """
    The table of trials that train.

    Args:
        standing: How they stand.
        job: What they train.
        names: The hyperparameters that label them; without any, their names do.
        title: What stands above the table.
    """

    def __init__(self, standing: Standing, job: JobSpec, names: Sequence[str], *, title: str) -> None:
        self._standing, self._names, self._title = standing, list(names), title
        self._epochs = known_epochs(job.hyperparameters)
        self._metrics = _other_metrics(job, standing.followed)

    def drawn(self, console: "Console") -> "Text":
        """Return the table as it fits a console."""
        from rich.text import Text

        width, height = console.size
        text = Text(no_wrap=True, overflow="crop", end="")
        for place, line in enumerate(self._lines(width, height - 1, bars_for(console.encoding))):
            text.append("\n" if place else "")
            for part, style in line:
                text.append(printable(part).encode(console.encoding, "replace").decode(console.encoding), style)
        return text

    def _lines(self, width: int, height: int, bars: str) -> Iterator[_Line]:
        """Yield the lines of the table, each as parts with their styles."""
        is_tall = height > 14
        below = self._below(width, 3 if is_tall else 2)
        longest = max(8, min(_LONGEST_LABEL, width // 4))
        room = max(2, height - len(below) - (4 if is_tall else 2))
        rows = self._standing.rows(room)
        columns = _fitting(list(self._columns(rows, longest, 16 if width >= 60 else 8, bars)), width)
        if is_tall:
            yield [(self._title[:width], "italic")]
        yield from _headings(columns)
        if is_tall:
            yield [("─" * sum((column.width + _GAP for column in columns), -_GAP), "dim")]
        best = self._standing.best
        for place, row in enumerate(rows):
            yield _row(columns, place, row, is_best=row is best and len(rows) > 1)
        for line in below:
            yield [(line, "dim")]

    def _below(self, width: int, most: int) -> list[str]:
        """Return what stands below the table: nothing if there is only one trial."""
        if self._standing.total < 2:
            return []
        counts = textwrap.wrap(self._standing.summary(), width)[:most]
        best = self._standing.best_so_far()
        return [*counts, *([best[:width]] if best else [])]

    def _columns(self, rows: Sequence[Row], longest: int, curve: int, bars: str) -> Iterator[_Column]:
        """Yield the columns in their order, with labels and curves no wider than given."""
        now, followed = self._standing.clock(), self._standing.followed
        yield from self._labels(rows, longest)
        yield _Column("status", [row.status for row in rows], 1, is_right=False, min_width=_LONGEST_STATUS)
        epochs = max([self._epochs, *(row.epochs for row in rows)])
        if epochs or any(row.epoch for row in rows):
            yield _Column("epoch", [_epoch(row) for row in rows], 5, min_width=len(f"{epochs}/{epochs} 100%"))
        if followed:
            curve = min(curve, max(epochs, 8)) if epochs else curve
            curves = [sparkline(row.curve, curve, bars=bars) for row in rows]
            if epochs > 1 or any(len(drawn) > 1 for drawn in curves):
                yield _Column("", curves, 3, is_right=False, min_width=curve)
            yield _Column(followed, [self._value(row) for row in rows], 2, min_width=8)
        for name in self._metrics:
            yield _Column(name, [_shown(row.last.get(name)) for row in rows], 7, min_width=8)
        seconds = ["" if row.begun is None else f"{row.seconds(now):.1f}" for row in rows]
        yield _Column("seconds", seconds, 6, min_width=7)

    def _labels(self, rows: Sequence[Row], longest: int) -> Iterator[_Column]:
        yield _Column("trial", [ellipsize(row.trial, longest) for row in rows], 0, is_right=False, min_width=5)
        for place, name in enumerate(self._names):
            values = [ellipsize(_brief(row.point[name]), longest) if name in row.point else "" for row in rows]
            yield _Column(name, values, 4 if place < 2 else 6, min_width=5)

    def _value(self, row: Row) -> str:
        last = row.last.get(self._standing.followed)
        return last if isinstance(last, str) else _shown(row.value)

    @property
    def heading(self) -> str:
        """The title, and how the trials stand."""
        below = [self._standing.summary(), self._standing.best_so_far()] if self._standing.total > 1 else []
        return "\n".join(text for text in (self._title, *below) if text)

    def frame(self) -> "pd.DataFrame":
        """Return the rows that a notebook shows, with all columns."""
        import pandas as pd

        columns = self._columns(self._standing.rows(_NOTEBOOK_ROWS), _LONGEST_LABEL, 16, BARS)
        return pd.DataFrame({column.heading or "curve": column.cells for column in columns})


def _other_metrics(job: JobSpec, followed: str) -> list[str]:
    """Return the metrics that there is room for beside the one that is followed."""
    return [item.name for item in job.metrics if item.name != followed][: _METRICS - 1]


def _fitting(columns: Sequence[_Column], width: int) -> list[_Column]:
    """Return the columns that fit, those that rank first in any case."""
    fitting, room = [], width + _GAP
    for column in sorted(columns, key=lambda column: column.rank):
        if column.width + _GAP <= room or not column.rank:
            fitting.append(column)
            room -= column.width + _GAP
    return [column for column in columns if column in fitting]


def _headings(columns: Sequence[_Column]) -> Iterator[_Line]:
    """Yield the lines of the headings, which end on the same line."""
    most = max(len(column.headings) for column in columns)
    for parts in zip(*([""] * (most - len(column.headings)) + column.headings for column in columns), strict=True):
        yield _line(columns, parts, ["bold"] * len(columns))


def _row(columns: Sequence[_Column], place: int, row: Row, *, is_best: bool) -> _Line:
    styles = [_STYLES.get(row.status, "") if column.heading == "status" else "" for column in columns]
    cells = [column.cells[place] for column in columns]
    return _line(columns, cells, [f"{style} bold" if is_best else style for style in styles])


def _line(columns: Sequence[_Column], cells: Sequence[str], styles: Sequence[str]) -> _Line:
    padded = [column.padded(cell) for column, cell in zip(columns, cells, strict=True)]
    gaps = [*[" " * _GAP] * (len(padded) - 1), ""]
    return [(cell + gap, style) for cell, gap, style in zip(padded, gaps, styles, strict=True)]


def _brief(value: ParameterValue) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _epoch(row: Row) -> str:
    """Return the epoch that a trial has reached, and how much of it is done, such as ``" 2/10  50%"``."""
    if not row.epoch:
        return ""
    of = f"{row.epoch:{len(str(row.epochs))}}/{row.epochs}" if row.epochs else str(row.epoch)
    return f"{of} {row.share:4.0%}"


def _shown(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else number(value)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
