"""What a command answers, for people: a page that fits the terminal's width, plain aligned lines elsewhere."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs
import click
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Page", "Seconds", "shown"]

_GAP = 2
_WIDE = 20  # a heading that is no wider stays in one line above wider cells
_STYLES = {"Completed": "green", "Failed": "red", "InProgress": "cyan", "Stopping": "yellow", "Stopped": "yellow"}


@attrs.frozen
class Seconds:
    """
    How long something took.

    Attributes:
        count: In seconds; None while it goes on.
    """

    count: float | None

    def __str__(self) -> str:
        if self.count is None:
            return ""
        if self.count < 60:
            return f"{self.count:.1f} s"
        minutes, seconds = divmod(round(self.count), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def shown(value: object) -> str:
    """Return a value as one reads it: six digits of a number, a time to the minute in the local zone."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6g}"
        case datetime():
            return f"{value.astimezone():%Y-%m-%d %H:%M}"
        case Mapping():
            return ", ".join(f"{name}={shown(item)}" for name, item in value.items())
    return str(value)


class Page:
    """
    Writes to standard output.

    Args:
        console: Where else to write.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()

    def say(self, text: str = "", *, bold: bool = False) -> None:
        """Write a line; what is longer than the terminal is wide, the terminal breaks, so that it can be copied."""
        self._console.print(Text(text, style="bold" if bold else ""), soft_wrap=True)

    def paragraphs(self, text: str) -> None:
        """Write lines; a terminal breaks those that are too long between words."""
        self._console.print(Text(text), soft_wrap=not self._console.is_terminal)

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Write names and values below each other; what is None or empty is left out."""
        there = [(name, shown(value)) for name, value in facts if shown(value)]
        width = max((cell_len(name) for name, _ in there), default=0)
        for name, value in there:
            line = Text.assemble((f"{name:<{width}}", "dim"), " " * _GAP, (value, _STYLES.get(value, "")))
            self._console.print(line, soft_wrap=True)

    def table(self, rows: Sequence[Mapping[str, object]], *, keep: int = 1) -> None:
        """
        Write rows below headings. A terminal shows as many columns as it has room for, and says which it leaves out.

        Args:
            rows: Values by heading, the most important first.
            keep: How many columns are shown even if their cells must be broken.
        """
        columns = {name: [row.get(name) for row in rows] for row in rows for name in row}
        texts = {name: [shown(value) for value in values] for name, values in columns.items()}
        texts = {name: cells for name, cells in texts.items() if any(cells)}
        if not self._console.is_terminal:
            self._lines(texts)
            return
        broken = {name: _broken(name, cells) for name, cells in texts.items()}
        widths = {name: max(map(cell_len, (*broken[name], *cells))) for name, cells in texts.items()}
        fitting = _fitting(widths, self._console.width, keep)
        lines = max((len(broken[name]) for name in fitting), default=0)
        table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
        for name in fitting:
            justify = "right" if all(_is_number(value) for value in columns[name]) else "left"
            heading = "\n".join([""] * (lines - len(broken[name])) + broken[name])  # all end in the same line
            table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
        for cells in zip(*(texts[name] for name in fitting), strict=True):
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
        self._console.print(table)
        if left_out := [name for name in texts if name not in fitting]:
            click.echo(f"No room for: {', '.join(left_out)}. Widen the terminal, or see --format csv.", err=True)

    def _lines(self, texts: Mapping[str, Sequence[str]]) -> None:
        widths = {name: max(map(cell_len, (name, *cells))) for name, cells in texts.items()}
        for cells in (list(texts), *zip(*texts.values(), strict=True)):
            padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths.values(), strict=True))
            self._console.print(Text((" " * _GAP).join(padded).rstrip()), soft_wrap=True)


def _broken(name: str, cells: Sequence[str]) -> list[str]:
    """Break a heading at its colons, underlines, dots and hyphens if it is wider than what is below it."""
    parts = re.findall(r"[^:_. -]+[:_. -]*", name) or [name]
    most = max(min(max(map(cell_len, cells)), _WIDE), *map(cell_len, parts))
    lines = [""]
    for part in parts:
        if lines[-1] and cell_len((lines[-1] + part).rstrip()) > most:
            lines.append("")
        lines[-1] += part
    return lines


def _fitting(widths: Mapping[str, int], room: int, keep: int) -> list[str]:
    """Return the columns that fit, the first *keep* in any case."""
    fitting: list[str] = []
    used = 0
    for name, width in widths.items():
        used += width + (_GAP if fitting else 0)
        if used > room and len(fitting) >= keep:
            break
        fitting.append(name)
    return fitting


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float | Seconds) and not isinstance(value, bool))
