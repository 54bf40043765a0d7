"""The leaderboard as a table that sorts and filters in a browser, and is complete without."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import get_args

import attrs

from mnist_tracking._values.recordable import as_text
from mnist_tracking._values.text import duration, number
from mnist_tracking.reading.report.axes import is_number
from mnist_tracking.reading.report.contents import Contents, Row
from mnist_tracking.reading.report.markup import Markup, element, joined, text
from mnist_tracking.reading.trial import TrialStatus

__all__ = ["board_table", "cost_text", "duration_text"]

_MOST_METRICS = 6
_LEAST_COST = 0.0001  # US dollars, of a job of some seconds


@attrs.frozen
class _Column:
    """
    A column.

    Attributes:
        label: Its heading.
        key: Where the page's data has its values, such as ``("parameters", "lr")``.
        cell: Returns the text for a trial.
        is_number: Whether it is aligned as numbers are.
    """

    label: str
    key: tuple[str, ...]
    cell: Callable[[Row], str]
    is_number: bool = True


def board_table(contents: Contents) -> Markup:
    """Return the controls and the table."""
    columns = list(_columns(contents))
    head = element("tr", *(_heading(column, place) for place, column in enumerate(columns)))
    body = [_row(row, columns, contents) for row in contents.rows]
    ranked = f", best {contents.board.objective.metric} first" if contents.board.objective else ""
    caption = element("caption", f"All trials{ranked}", class_="hidden-text")
    return joined(
        [
            _controls(contents),
            element(
                "div",
                element("table", caption, element("thead", head), element("tbody", *body), id="board-table"),
                class_="scroll tall",
                tabindex=0,
                role="region",
                aria_label="Leaderboard",
            ),
        ]
    )


def _columns(contents: Contents) -> Iterator[_Column]:
    board = contents.board
    yield _Column("#", ("rank",), lambda row: str(row.place + 1))
    yield _Column("trial", ("trial",), lambda row: row.trial.name, is_number=False)
    if len(board.experiments) > 1:
        yield _Column("experiment", ("experiment",), lambda row: row.trial.experiment, is_number=False)
    yield _Column("status", ("state",), lambda row: row.state, is_number=False)
    if board.objective:
        label = f"{board.objective.statistic} {board.objective.metric}"
        yield _Column(label, ("value",), lambda row: "" if row.value is None else number(row.value))
    yield from (_metric(name) for name in contents.metrics[:_MOST_METRICS])
    yield from (_parameter(name, contents) for name in contents.parameters)
    yield _Column("duration", ("duration_s",), lambda row: duration_text(row.trial.duration_s))
    if any(row.trial.cost is not None for row in contents.rows):
        yield _Column("cost", ("cost",), lambda row: cost_text(row.trial.cost))
    if any(map(_note, contents.rows)):
        yield _Column("note", ("note",), _note, is_number=False)


def _metric(name: str) -> _Column:
    def cell(row: Row) -> str:
        last = row.trial.last_values.get(name, "")
        return last if isinstance(last, str) else number(last)

    return _Column(name, ("metrics", name), cell)


def _parameter(name: str, contents: Contents) -> _Column:
    def cell(row: Row) -> str:
        if name not in row.trial.configuration:
            return ""
        value = row.trial.configuration[name]
        return number(value) if isinstance(value, float) else as_text(value)

    are_numbers = all(is_number(row.trial.configuration.get(name, 0)) for row in contents.rows)
    return _Column(name, ("parameters", name), cell, is_number=are_numbers)


def _note(row: Row) -> str:
    return "; ".join(filter(None, (row.note, row.trial.failure_reason if row.state == "failed" else "")))


def duration_text(seconds: float | None) -> str:
    """Return a duration for people; empty for None."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 60 else duration(round(seconds))


def cost_text(cost: float | None) -> str:
    """Return dollars for people; empty if the cost is unknown."""
    if cost is None:
        return ""
    if 0 < cost < _LEAST_COST:
        return f"< ${_LEAST_COST}"
    return f"${cost:,.2f}" if cost >= 1 else f"${cost:.3g}"


def _heading(column: _Column, place: int) -> Markup:
    label = text(column.label).replace(":", ":<wbr>").replace("_", "_<wbr>")
    return element(
        "th",
        Markup(label),
        scope="col",
        class_="number" if column.is_number else None,
        data_of=column.key[0],
        data_name=column.key[1] if len(column.key) > 1 else None,
        aria_sort="ascending" if place == 0 else None,
    )


def _row(row: Row, columns: list[_Column], contents: Contents) -> Markup:
    is_best = contents.best is not None and row.place == contents.best.place
    cells = [_cell(column, row) for column in columns]
    return element("tr", *cells, class_=f"{row.state} best" if is_best else row.state, data_i=row.place)


def _cell(column: _Column, row: Row) -> Markup:
    content = column.cell(row)
    if column.key == ("trial",):
        return element("th", content, scope="row")
    if column.key == ("state",):
        return element("td", element("span", content, class_=f"state {content}"))
    if column.key == ("note",):
        return element("td", content, class_="note")
    return element("td", content, class_="number" if column.is_number else None)


def _controls(contents: Contents) -> Markup:
    """Return the filters; a script shows them, since they need it."""
    counts = Counter(row.state for row in contents.rows)
    chips = [_chip(state, counts[state]) for state in get_args(TrialStatus) if counts[state]]
    search = element("input", type="search", id="filter", autocomplete="off", placeholder="name, status or value")
    return element(
        "div",
        element("label", "Filter ", search, for_="filter"),
        element("div", *chips, role="group", aria_label="Statuses"),
        element("p", id="shown", role="status"),
        class_="controls",
        hidden=True,
    )


def _chip(state: str, count: int) -> Markup:
    return element(
        "button",
        element("span", state, class_=f"state {state}"),
        f" {count}",
        type="button",
        class_="chip",
        aria_pressed="true",
        data_state=state,
    )
