"""The sections of a page, in its order: what was found, how it came about, and what ran."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import get_args

from mnist_tracking._values.json import to_json
from mnist_tracking._values.recordable import as_text
from mnist_tracking._values.text import number, plural
from mnist_tracking.reading.groups import Groups, shown_rows
from mnist_tracking.reading.lineage import overview
from mnist_tracking.reading.report.charts import curve_chart, parallel_chart, scatter_chart
from mnist_tracking.reading.report.contents import Contents, Row, State
from mnist_tracking.reading.report.graph import graph
from mnist_tracking.reading.report.markup import Markup, element, joined
from mnist_tracking.reading.report.pictures import Matrix, Picture
from mnist_tracking.reading.report.table import board_table, cost_text, duration_text
from mnist_tracking.reading.trial import Trial

__all__ = ["SECTIONS", "figures"]

_MOST_CHARTS = 12
_MOST_REASONS = 50
_MOST_SETTINGS = 10


def figures(contents: Contents) -> Markup:
    """Return the numbers at the top of the page."""
    rows, best, objective = contents.rows, contents.best, contents.board.objective
    found: list[tuple[str, str, str]] = []
    if best is not None and objective is not None and best.value is not None:
        found.append((f"best {objective.metric}", number(best.value), best.trial.name))
    counts = Counter(row.state for row in rows)
    detail = ", ".join(f"{counts[state]} {state}" for state in get_args(State) if counts[state])
    found.append(("trials", f"{len(rows):,}", detail))
    found.append(("training time", duration_text(_total(row.trial.duration_s for row in rows)) or "-", "all trials"))
    if (cost := _total(row.trial.cost for row in rows)) is not None:
        found.append(("cost", cost_text(cost), _priced(contents)))
    boxes = (
        element("div", element("dt", what), element("dd", value, element("small", more))) for what, value, more in found
    )
    return element("dl", *boxes, class_="figures")


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _priced(contents: Contents) -> str:
    unknown = sum(row.trial.cost is None for row in contents.rows)
    what = "list prices" if contents.board._account.is_billed else "what it would cost on AWS, at list prices"
    return f"{what}; unknown for {plural(unknown, 'trial')}" if unknown else what


def _sentence(content: str) -> Markup:
    return element("p", content, class_="lead")


def _best(contents: Contents) -> Markup:
    best = contents.best
    if best is None:
        return _sentence(contents.why_no_best)
    trial = best.trial
    last_values = {name: trial.last_values[name] for name in contents.metrics_of(trial)}
    values = {name: last if isinstance(last, str) else number(last) for name, last in last_values.items()}
    facts = [
        _facts("Hyperparameters", {name: as_text(value) for name, value in trial.configuration.items()}),
        _facts("Metrics, last values", values),
    ]
    shown = [*map(_matrix, contents.shown.matrices), *map(_picture, contents.shown.pictures)]
    return joined(
        [
            element("p", element("strong", trial.name), f" of experiment {trial.experiment}", class_="lead"),
            element("div", element("div", *facts), *shown, class_="columns"),
            *map(_sentence, contents.shown.notes),
        ]
    )


def _board(contents: Contents) -> Markup:
    board = contents.board
    notes = [_sentence(board.note)] if board.note else []
    return joined([*notes, board_table(contents), *([_groups(contents.groups)] if contents.groups else [])])


def _groups(groups: Groups) -> Markup:
    rows = shown_rows(groups)
    table = _table("Configurations, the best first", rows[0], ([_shown(cell) for cell in row.values()] for row in rows))
    parts = [element("h3", "Repeats"), _sentence(groups.note), element("div", table, **_scrolling("Configurations"))]
    return joined(parts)


def _shown(value: object) -> str:
    return "" if value is None else number(value) if isinstance(value, float) else str(value)


def _facts(title: str, values: Mapping[str, str]) -> Markup:
    rows = (element("tr", element("th", name, scope="row"), element("td", value)) for name, value in values.items())
    return element("table", element("caption", title), element("tbody", *rows), class_="facts") if values else Markup()


def _matrix(matrix: Matrix) -> Markup:
    classes = range(len(matrix.counts))
    right, total = sum(matrix.counts[place][place] for place in classes), sum(map(sum, matrix.counts))
    head = element("tr", element("td"), *(element("th", place, scope="col") for place in classes))
    body = (
        element("tr", element("th", row, scope="row"), *(_count(counts, row, column) for column in classes))
        for row, counts in enumerate(matrix.counts)
    )
    share = f" ({right / total:.2%})" if total else ""
    caption = f"Confusion matrix of {matrix.step}: {right:,} of {total:,} right{share}. Rows are true classes."
    table = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", table, class_="matrix scroll", tabindex=0, role="region", aria_label="Confusion matrix")


def _count(counts: tuple[int, ...], row: int, column: int) -> Markup:
    depth = counts[column] * 8 // max(sum(counts), 1)  # of 9 shades
    kind = "right" if row == column else "wrong" if counts[column] else None
    return element("td", counts[column] or "", class_=f"{kind} s{depth}" if kind else None)


def _picture(picture: Picture) -> Markup:
    source = f"data:{picture.media_type};base64,{base64.b64encode(picture.content).decode()}"
    caption = f"{picture.name}, recorded by the step {picture.step}"
    return element("figure", element("img", src=source, alt=caption), element("figcaption", caption))


def _parameters(contents: Contents) -> Markup:
    objective = contents.board.objective
    ranked = sum(row.value is not None for row in contents.rows)
    if objective is None or not ranked or not contents.parameters:
        return _sentence("Nothing to draw: no hyperparameter differs, or no trial has a value for an objective.")
    names = sorted(contents.parameters, key=lambda name: -contents.importance.get(name, 0.0))
    charts = [scatter_chart(contents, name, objective.metric) for name in names[:_MOST_CHARTS]]
    return joined(
        [
            _sentence(
                "Each mark is a trial. A ring is running; a triangle was pruned, stopped or failed; a cross has no "
                "value; an arrowhead is far out, beyond the axis. The leaderboard has the same values as a table."
            ),
            _legend(),
            element("div", *(element("figure", chart) for chart in charts), class_="charts"),
            *_more(names[_MOST_CHARTS:], "hyperparameters"),
            element("h3", "Together"),
            element(
                "div",
                parallel_chart(contents, names[:_MOST_CHARTS], objective.metric),
                **_scrolling("Parallel coordinates"),
            ),
        ]
    )


def _legend() -> Markup:
    kinds = {"best": "best", "q0": "top fifth", "q2": "middle", "q4": "lowest fifth"}
    keys = (element("li", element("i", class_=f"key {kind}"), name) for kind, name in kinds.items())
    return element("ul", *keys, class_="legend", aria_label="Colours")


def _scrolling(label: str) -> dict[str, object]:
    return {"class_": "scroll", "tabindex": 0, "role": "region", "aria_label": label}


def _more(names: Iterable[str], what: str) -> list[Markup]:
    left_out = list(names)
    return [_sentence(f"Not drawn: the {what} {', '.join(left_out)}. The data below has them.")] if left_out else []


def _importance(contents: Contents) -> Markup:
    if not contents.importance:
        return _sentence(contents.why_no_importance or "No hyperparameter differs.")
    most = max(contents.importance.values()) or 1.0
    rows = (
        element(
            "tr",
            element("th", name, scope="row"),
            element("td", f"{share:.0%}", class_="number"),
            element("td", _bar(share / most), class_="bar"),
        )
        for name, share in contents.importance.items()
    )
    caption = element(
        "caption", "How much each hyperparameter decides whether a trial is among the best: shares of all"
    )
    return element("table", caption, element("tbody", *rows), class_="importance")


def _bar(share: float) -> Markup:
    bar = element("rect", width=f"{100 * max(share, 0.0):.1f}", height=10, rx=1)
    return element("svg", bar, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def _curves(contents: Contents) -> Markup:
    curves = contents.curves
    every = sorted({metric for series in curves.by_trial.values() for metric in series})
    if not every:
        return joined([_sentence("No metric was logged more than once."), *map(_sentence, curves.notes)])
    dropped = (f"{trial}: {reason}" for trial, reason in curves.dropped.items())
    return joined(
        [
            _sentence("A dashed curve with a cross at its end was pruned, stopped or failed."),
            *map(_sentence, curves.notes),
            _legend(),
            element(
                "div",
                *(element("figure", curve_chart(contents, name)) for name in every[:_MOST_CHARTS]),
                class_="charts",
            ),
            *_more(every[_MOST_CHARTS:], "metrics"),
            _details(
                "Values that were dropped", element("ul", *(element("li", one) for one in dropped), class_="dropped")
            )
            if curves.dropped
            else Markup(),
            _details("First, best and last values", *(_curve_table(contents, name) for name in every[:_MOST_CHARTS])),
        ]
    )


def _details(summary: str, *children: object) -> Markup:
    return element("details", element("summary", summary), *children)


def _curve_table(contents: Contents, metric: str) -> Markup:
    rows = [
        (row, [value for _, value in contents.curves.by_trial[row.trial.name][metric]])
        for row in contents.rows
        if metric in contents.curves.by_trial.get(row.trial.name, {})
    ]
    body = ([row.trial.name, *map(number, (values[0], min(values), max(values), values[-1]))] for row, values in rows)
    table = _table(f"{metric} while trials trained", ["trial", "first", "smallest", "largest", "last"], body)
    return element("div", table, **_scrolling(metric))


def _table(caption: str, headings: Iterable[str], rows: Iterable[Iterable[object]]) -> Markup:
    head = element("tr", *(element("th", heading, scope="col") for heading in headings))
    body = (
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in cells))
        for first, *cells in rows
    )
    return element("table", element("caption", caption), element("thead", head), element("tbody", *body))


def _lineage(contents: Contents) -> Markup:
    if contents.lineage is None:
        return _sentence("There is no best trial to trace.")
    folder, rows = overview(contents.lineage)
    below = f" Locations are below {folder}." if folder else ""
    listed = _table(
        "From the data to the model", ["what", "made from", "name"], ([row[key] for key in row] for row in rows)
    )
    return joined(
        [
            _sentence(f"What {contents.lineage.trial} was made from, and what was made from it.{below}"),
            element("div", graph(contents.lineage), **_scrolling("Lineage")),
            _details("As a table", element("div", listed, **_scrolling("Lineage as a table"))),
        ]
    )


def _failures(contents: Contents) -> Markup:
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in contents.rows:
        reason = row.trial.failure_reason or row.trial.stop_reason
        if row.state in ("failed", "stopped", "pruned"):
            reasons.setdefault((row.state, reason or "no reason was recorded"), []).append(row.trial.name)
    if not reasons:
        return _sentence("No trial failed, and none was stopped.")
    ordered = sorted(reasons.items(), key=lambda item: (item[0][0], -len(item[1])))
    rows = (
        [
            element("span", state, class_=f"state {state}"),
            len(names),
            element("pre", reason),
            ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""),
        ]
        for (state, reason), names in ordered[:_MOST_REASONS]
    )
    table = _table("Reasons, by status", ["status", "trials", "reason", "which"], rows)
    left_out = len(ordered) - _MOST_REASONS
    more = [_sentence(f"{plural(left_out, 'other reason')}: see the data below.")] if left_out > 0 else []
    return joined([element("div", table, **_scrolling("Failures")), *more])


def _code(contents: Contents) -> Markup:
    groups: dict[str, list[Trial]] = {}
    for row in contents.rows:
        groups.setdefault(json.dumps(to_json(row.trial.provenance), sort_keys=True), []).append(row.trial)
    ordered = sorted(groups.values(), key=len, reverse=True)
    tables = [
        _facts(plural(len(trials), "trial"), dict(_provenance(trials[0]))) or _unknown(trials)
        for trials in ordered[:_MOST_SETTINGS]
    ]
    left_out = len(ordered) - _MOST_SETTINGS
    more = [_sentence(f"{plural(left_out, 'other combination')}: see the data below.")] if left_out > 0 else []
    return joined([element("div", *tables, class_="columns"), *more])


def _provenance(trial: Trial) -> Iterable[tuple[str, str]]:
    for name, value in to_json(trial.provenance).items():
        if name == "is_dirty" and value is not None:
            yield "uncommitted changes", "yes" if value else "no"
        elif name == "packages" and value:
            yield "packages", ", ".join(f"{package} {version}" for package, version in value.items())
        elif value and isinstance(value, str):
            yield name, value


def _unknown(trials: list[Trial]) -> Markup:
    return _sentence(f"Nothing was recorded for {plural(len(trials), 'trial')}.")


def _cost(contents: Contents) -> Markup:
    groups = {state: [row for row in contents.rows if row.state == state] for state in get_args(State)}
    rows = [_spent(state, rows) for state, rows in groups.items() if rows]
    if len(rows) > 1:
        rows.append(_spent("all", contents.rows))
    headings = ["status", "trials", "duration", "median", "billable", "cost"]
    table = _table("Time and cost, by status", headings, rows)
    note = f"Costs are billable seconds at the {contents.board._account.prices}."
    priced = any(row.trial.cost is not None for row in contents.rows)
    return joined([element("div", table, **_scrolling("Time and cost")), *([_sentence(note)] if priced else [])])


def _spent(state: str, rows: Iterable[Row]) -> list[object]:
    trials = [row.trial for row in rows]
    durations = sorted(trial.duration_s for trial in trials if trial.duration_s is not None)
    return [
        state,
        len(trials),
        duration_text(sum(durations)),
        duration_text(durations[len(durations) // 2]) if durations else "",
        duration_text(_total(trial.billable_s for trial in trials)),
        cost_text(_total(trial.cost for trial in trials)) or "unknown",
    ]


SECTIONS: tuple[tuple[str, str, Callable[[Contents], Markup]], ...] = (
    ("best", "Best trial", _best),
    ("board", "Leaderboard", _board),
    ("parameters", "Hyperparameters", _parameters),
    ("importance", "Importance", _importance),
    ("curves", "Learning curves", _curves),
    ("lineage", "Lineage", _lineage),
    ("failures", "Failed and stopped", _failures),
    ("code", "What ran", _code),
    ("cost", "Time and cost", _cost),
)
"""The id, the title and the content of each section."""
