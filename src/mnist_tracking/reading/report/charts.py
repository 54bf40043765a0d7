"""The charts, as SVG: it prints, needs no JavaScript, and takes its colours from the page's style sheet."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mnist_tracking._values.text import ellipsize, number, plural
from mnist_tracking.reading.report.axes import Axis, axis_of, is_number, score_axis, step_axis
from mnist_tracking.reading.report.contents import Contents, Row
from mnist_tracking.reading.report.curves import Points
from mnist_tracking.reading.report.markup import Markup, element, joined

__all__ = ["curve_chart", "parallel_chart", "scatter_chart"]

_WIDTH, _HEIGHT = 340, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 40
_CHARACTER = 0.025  # of the width of a horizontal axis
_CROSS = "l7 7m0-7l-7 7"  # drawn from its corner
_UP, _DOWN = "m-5 7l5-6 5 6", "m-5-7l5 6 5-6"  # arrowheads that end at their place
_TRIANGLE = "m0-4.5l4.3 7.6h-8.6z"


def _coordinate(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _x(share: float) -> str:
    return _coordinate(_LEFT + share * (_WIDTH - _LEFT - _RIGHT))


def _y(share: float) -> str:
    return _coordinate(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))


def _svg(width: int, height: int, label: str, *children: object, class_: str = "chart") -> Markup:
    return element(
        "svg",
        *children,
        class_=class_,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=label,
    )


def _frame(x: Axis, y: Axis, x_label: str, y_label: str) -> Markup:
    """Return the grid, the labels of the ticks, and the names of the axes."""
    bottom, left, right = _y(0), _x(0), _x(1)
    grid = [element("path", class_="grid", d=f"M{left} {_y(place)}H{right}") for place, _ in y.ticks]
    grid.append(element("path", class_="axis", d=f"M{left} {bottom}H{right}"))
    labels = [
        *(element("text", label, x=left, y=_y(place), dx=-6, dy=4, class_="end") for place, label in y.ticks),
        *(
            element("text", label, x=_x(place), y=bottom, dy=16, class_="mid")
            for place, label in _side_by_side(x.ticks)
        ),
        element("text", ellipsize(x_label, 44), x=_x(0.5), y=_HEIGHT, dy=-6, class_="mid name"),
        element("text", ellipsize(y_label, 30), class_="mid name", transform=f"translate(11 {_y(0.5)})rotate(-90)"),
    ]
    return joined([*grid, *labels])


def _side_by_side(ticks: Iterable[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """Yield the ticks of a horizontal axis, but those whose label would overlap the one before."""
    end = -1.0
    for place, full in ticks:
        label = ellipsize(full, 9)
        half = len(label) * _CHARACTER / 2
        if place - half > end:
            yield place, label
            end = place + half


def scatter_chart(contents: Contents, parameter: str, metric: str) -> Markup:
    """Draw the value of every trial against a parameter; those without a value stand below the axis, as crosses."""
    rows = [row for row in contents.rows if parameter in row.trial.configuration]
    x = axis_of([row.trial.configuration[parameter] for row in rows])
    y = score_axis([row.value for row in contents.rows if row.value is not None])
    ordered = sorted(rows, key=lambda row: -row.place)  # the best is drawn last, and on top
    marks = [_mark(row, contents, x, y, parameter) for row in ordered]
    scale = ", logarithmic" if x.kind == "log" else ""
    label = f"{metric} against {parameter}{scale}: {plural(len(rows), 'trial')}."
    return _svg(_WIDTH, _HEIGHT, label + _best_at(contents, parameter), _frame(x, y, parameter, metric), *marks)


def _best_at(contents: Contents, parameter: str) -> str:
    best = contents.best
    if best is None or best.value is None or parameter not in best.trial.configuration:
        return ""
    return f" The best has {number(best.value)} at {best.trial.configuration[parameter]}."


def _mark(row: Row, contents: Contents, x: Axis, y: Axis, parameter: str) -> Markup:
    spread = ((row.place * 7) % 11 - 5) / 25 / len(x.categories) if x.kind == "category" else 0.0
    left = _x(x.at(row.trial.configuration[parameter]) + spread)
    if row.value is None:
        return element("path", class_=f"mark none {row.state}", data_i=row.place, d=f"M{left} {_y(0)}m-3.5-3.5{_CROSS}")
    top = _y(y.at(row.value))
    if y.is_beyond(row.value):
        end = _UP if row.value > y.high else _DOWN
        return element("path", class_=f"mark beyond {row.state}", data_i=row.place, d=f"M{left} {top}{end}")
    if row.state == "running":
        return element("circle", class_="mark running", data_i=row.place, cx=left, cy=top, r=3.5)
    if row.state != "completed":
        return element("path", class_=f"mark {row.state}", data_i=row.place, d=f"M{left} {top}{_TRIANGLE}")
    is_best = contents.best is not None and row.place == contents.best.place
    kind = "mark best" if is_best else f"mark q{row.shade}"
    return element("circle", class_=kind, data_i=row.place, cx=left, cy=top, r=5.5 if is_best else 3.5)


def curve_chart(contents: Contents, metric: str) -> Markup:
    """Draw a metric of every trial against its steps; a pruned trial ends with a cross."""
    drawn = [
        (row, _along(contents.curves.by_trial[row.trial.name][metric]))
        for row in reversed(contents.rows)
        if metric in contents.curves.by_trial.get(row.trial.name, {})
    ]
    x = step_axis([step for _, points in drawn for step, _ in points])
    y = axis_of([value for _, points in drawn for _, value in points], are_choices=False)
    curves = [mark for row, points in drawn for mark in _curve(row, points, contents, x, y)]
    scale = ", logarithmic" if y.kind == "log" else ""
    pruned = sum(row.state == "pruned" for row, _ in drawn)
    label = f"{metric}{scale}, while {plural(len(drawn), 'trial')} trained; {pruned} of them pruned."
    return _svg(_WIDTH, _HEIGHT, label, _frame(x, y, "step", metric), *curves)


def _along(points: Points) -> list[tuple[float, float]]:
    """
    Return where the values of a curve stand; several values of one step stand before it, the last one at it.

    Example:
        >>> _along(((1, 0.5), (2, 0.4), (2, 0.3)))
        [(1.0, 0.5), (1.5, 0.4), (2.0, 0.3)]
    """
    counts, seen = Counter(step for step, _ in points), Counter[int]()
    places = []
    for step, value in points:
        seen[step] += 1
        places.append((step - 1 + seen[step] / counts[step], value))
    return places


def _curve(row: Row, points: Sequence[tuple[float, float]], contents: Contents, x: Axis, y: Axis) -> Iterator[Markup]:
    path = "M" + "L".join(f"{_x(x.at(step))} {_y(y.at(value))}" for step, value in points) + "h0"  # a dot of one value
    yield element("path", class_=f"curve {_shade(row, contents)} {row.state}", data_i=row.place, d=path)
    if row.state in ("pruned", "stopped", "failed"):
        step, value = points[-1]
        end = f"M{_x(x.at(step))} {_y(y.at(value))}m-3.5-3.5{_CROSS}"
        yield element("path", class_=f"mark none {row.state}", data_i=row.place, d=end)


def _shade(row: Row, contents: Contents) -> str:
    if contents.best is not None and row.place == contents.best.place:
        return "best"
    return "no-value" if row.shade is None else f"q{row.shade}"


_ACROSS, _HIGH = 1080, 330
_SIDE, _ABOVE, _BELOW = 60, 44, 24


def parallel_chart(contents: Contents, parameters: Iterable[str], metric: str) -> Markup:
    """Draw every trial that has a value as a line through its parameters to that value."""
    rows = [row for row in reversed(contents.rows) if row.value is not None]
    axes = {name: axis_of(_values(rows, name)) for name in parameters if _values(rows, name)}
    last = score_axis([row.value for row in rows if row.value is not None])
    columns = [*axes.items(), (metric, last)]
    places = [_SIDE + place * (_ACROSS - 2 * _SIDE) / (len(columns) - 1) for place in range(len(columns))]
    room = int((_ACROSS - 2 * _SIDE) / max(len(columns) - 1, 1) / 7)
    frames = [_column(x, name, axis, room) for x, (name, axis) in zip(places, columns, strict=True)]
    lines = [
        element("path", class_=f"line {_shade(row, contents)} {row.state}", data_i=row.place, d=path)
        for row in rows
        if (path := _line(row, axes, last, places))
    ]
    names = ", ".join(axes)
    label = f"Parallel coordinates of {plural(len(rows), 'trial')}: {names}, and {metric}. The best is emphasised."
    return _svg(_ACROSS, _HIGH, label, *lines, *frames, class_="chart wide")


def _values(rows: Iterable[Row], name: str) -> list[object]:
    return [row.trial.configuration[name] for row in rows if name in row.trial.configuration]


def _down(share: float) -> str:
    return _coordinate(_HIGH - _BELOW - share * (_HIGH - _ABOVE - _BELOW))


def _column(x: float, name: str, axis: Axis, room: int) -> Markup:
    left = _coordinate(x)
    scale = " (log)" if axis.kind == "log" else ""
    return element(
        "g",
        element("path", class_="axis", d=f"M{left} {_down(0)}V{_down(1)}"),
        element("text", ellipsize(name, max(room - len(scale), 6)) + scale, x=left, y=24, class_="mid name"),
        *(
            element("text", ellipsize(label, 10), x=left, y=_down(place), dx=6, dy=4, class_="halo")
            for place, label in axis.ticks
        ),
    )


def _line(row: Row, axes: Mapping[str, Axis], last: Axis, places: Sequence[float]) -> str:
    """Return the path of a trial; it is interrupted where the trial does not have a parameter."""
    path, pen = "", "M"
    for x, (name, axis) in zip(places, axes.items(), strict=False):
        if name not in row.trial.configuration:
            pen = "M"
            continue
        path += f"{pen}{_coordinate(x)} {_down(axis.at(row.trial.configuration[name]))}"
        pen = "L"
    return f"{path}{pen}{_coordinate(places[-1])} {_down(last.at(row.value))}" if is_number(row.value) else ""
