"""Output of a command: a page for people, JSON, or CSV. It goes to standard output, and nothing else does."""

import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import attrs
import click

from mnist_tracking._values.json import to_cell, to_json
from mnist_tracking._values.recordable import ParameterValue, as_text
from mnist_tracking._values.tables import Table, csv_line
from mnist_tracking._values.text import CONTROLS, number, printable, redraws

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = [
    "Form",
    "Page",
    "Recorded",
    "Seconds",
    "count_on_terminal",
    "echo",
    "format_option",
    "shown",
    "warn_printably",
    "write_bytes",
    "write_csv",
    "write_json",
    "write_record",
    "write_table",
]

Form = Literal["table", "json", "csv"]
_ESCAPED = {code: f"\\u{code:04x}" for code in CONTROLS if code >= 0x7F}  # json escapes the others
_GAP = 2
_MOST_REDRAWS = 10  # of a line that is shown with all of them
_WIDE = 20  # a heading that is no wider stays on one line above wider cells
_STYLES = {"Completed": "green", "Failed": "red", "InProgress": "cyan", "Stopping": "yellow", "Stopped": "yellow"}


def format_option(*forms: Form) -> Callable[[Any], Any]:
    """Return the option ``--format``, given to the command as *form*."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms or ("table", "json", "csv")),
        default="table",
        show_default=True,
        help="Output format.",
    )


def echo(text: str = "", *, err: bool = False) -> None:
    """Write text for people, which may be another person's, as a line; see `printable`."""
    click.echo(printable(text), err=err)


def echo_logged(line: str, *, err: bool = False) -> None:
    r"""Write a line of a log; of a progress bar, which was redrawn with ``\r`` again and again, its last state."""
    states = redraws(line)
    echo(f"[redrawn {len(states) - 1} times] {states[-1]}" if len(states) > _MOST_REDRAWS else line, err=err)


def write_bytes(content: bytes) -> None:
    """Write what an endpoint answered, as it is; to a terminal as text for people."""
    if sys.stdout.isatty():
        echo(content.decode("utf-8", "replace"))
    else:
        click.echo(content, nl=False)


def warn_printably() -> None:
    """
    Let warnings, too, send no control characters to the terminal; they quote messages of others.

    Those of this library are shown without the place in its code where they are issued.
    """
    formatted = warnings.formatwarning

    def format_printably(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> str:
        if category is UserWarning:
            return printable(f"mnist-tracking: warning: {message}\n")
        return printable(formatted(message, category, *place, **line))

    warnings.formatwarning = format_printably


def write_json(value: object) -> None:
    """Write one JSON document. Control characters are escaped in it, so that a terminal does not obey them."""
    document = json.dumps(to_json(value), indent=2, ensure_ascii=False)
    click.echo(document.translate(_ESCAPED))


def write_table(table: Table) -> None:
    """Write a table as CSV: a recorded parameter so that it shows its type, and nothing for what is missing."""
    if table.rows:
        _write_lines(table.cells())


def write_csv(rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows under a line of headings: the columns of all rows, in the order of their first values."""
    if listed := list(rows):
        columns = list(dict.fromkeys(name for row in listed for name in row))
        _write_lines([[*columns], *([_cell(row.get(name)) for name in columns] for row in listed)])


def _write_lines(lines: Iterable[Iterable[object]]) -> None:
    is_seen = sys.stdout.isatty()
    for cells in lines:
        sys.stdout.write(csv_line(map(_seen, cells) if is_seen else cells))


def _cell(value: object) -> object:
    return to_cell(str(value) if isinstance(value, Recorded) else value)


def _seen(cell: object) -> object:
    return printable(cell) if isinstance(cell, str) else cell


def write_record(record: Mapping[str, object], form: Form) -> None:
    """Write names and values: as an object, as one row, or as lines."""
    match form:
        case "json":
            write_json(record)
        case "csv":
            write_csv([record])
        case "table":
            Page().facts(record.items())


def count_on_terminal(what: str) -> Callable[[int], None] | None:
    """Return a callback that shows how many were read, in one line of standard error; None if that is no terminal."""
    if not sys.stderr.isatty():
        return None
    return lambda count: click.echo(f"\r{count:,} {what} read\x1b[K\r", nl=False, err=True)


@attrs.frozen
class Recorded:
    """
    A recorded parameter, shown as it was given.

    So 2.0 differs from 2, and a string that could be another value is in quotes.

    Attributes:
        value: Its value.
    """

    value: ParameterValue

    def __str__(self) -> str:
        return as_text(self.value)


@attrs.frozen
class Seconds:
    """
    A duration.

    Attributes:
        count: In seconds; None until it ends.
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
    """Return a value for people: a number with six digits, a time to the minute in the local zone."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return number(value)
        case datetime():
            return f"{value.astimezone():%Y-%m-%d %H:%M}"
        case Mapping():
            return ", ".join(f"{printable(str(name))}={shown(item)}" for name, item in value.items())
    return printable(str(value))


class Page:
    """
    Writes for people: pages that fit the terminal's width, plain aligned lines elsewhere.

    Args:
        console: Where to write, instead of standard output.
    """

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console

        self._console = console or Console()

    @property
    def is_terminal(self) -> bool:
        """Whether it is read on a terminal, and not by a program."""
        return self._console.is_terminal

    def say(self, text: str = "", *, bold: bool = False, wrap: bool = False) -> None:
        """Write text. Lines too long for the terminal are broken between words only if *wrap*, else can be copied."""
        self._console.print(_styled(text, "bold" if bold else ""), soft_wrap=not (wrap and self.is_terminal))

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Write names and values below each other; what is None or empty is left out."""
        there = [(name, shown(value)) for name, value in facts if shown(value)]
        width = max((len(name) for name, _ in there), default=0)
        for name, value in there:
            line = _styled(f"{name:<{width}}", "dim") + " " * _GAP + _styled(value, _STYLES.get(value, ""))
            self._console.print(line, soft_wrap=True)

    def table(self, rows: Sequence[Mapping[str, object]], *, keep: int = 1) -> None:
        """
        Write rows under headings. A terminal shows as many columns as fit, and the rest are named on standard error.

        Args:
            rows: Values by heading, the most important first.
            keep: How many columns are shown even if their cells must be broken.
        """
        columns = {printable(name): [row.get(name) for row in rows] for row in rows for name in row}
        texts = {name: [shown(value) for value in values] for name, values in columns.items()}
        texts = {name: cells for name, cells in texts.items() if any(cells)}
        if not self.is_terminal:
            self._lines(texts)
            return
        from rich import box
        from rich.table import Table

        broken = {name: _broken(name, cells) for name, cells in texts.items()}
        widths = {name: max(map(_width, (*broken[name], *cells))) for name, cells in texts.items()}
        fitting = _fitting(widths, self._console.width, keep)
        lines = max((len(broken[name]) for name in fitting), default=0)
        table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
        for name in fitting:
            justify = "right" if all(_is_number(value) for value in columns[name]) else "left"
            heading = "\n".join([""] * (lines - len(broken[name])) + broken[name])  # all end on the same line
            table.add_column(_styled(heading, ""), justify=justify, overflow="fold")  # type: ignore[arg-type]
        for cells in zip(*(texts[name] for name in fitting), strict=True):
            table.add_row(*(_styled(cell, _STYLES.get(cell, "")) for cell in cells))
        self._console.print(table)
        if left_out := [name for name in texts if name not in fitting]:
            echo(f"No room for: {', '.join(left_out)}. Widen the terminal, or use --format csv.", err=True)

    def _lines(self, texts: Mapping[str, Sequence[str]]) -> None:
        widths = {name: max(map(_width, (name, *cells))) for name, cells in texts.items()}
        for cells in (list(texts), *zip(*texts.values(), strict=True)):
            padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths.values(), strict=True))
            self.say((" " * _GAP).join(padded).rstrip())


def _styled(text: str, style: str) -> "Text":
    from rich.text import Text

    return Text(printable(text), style=style)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _broken(name: str, cells: Sequence[str]) -> list[str]:
    """Break a heading at its colons, underlines, dots and hyphens if it is wider than the cells below it."""
    parts = re.findall(r"[^:_. -]+[:_. -]*", name) or [name]
    most = max(min(max(map(_width, cells)), _WIDE), *map(_width, parts))
    lines = [""]
    for part in parts:
        if lines[-1] and _width((lines[-1] + part).rstrip()) > most:
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
    found = value.value if isinstance(value, Recorded) else value
    return value is None or (isinstance(found, int | float | Seconds) and not isinstance(found, bool))
