"""The sections of a page, in its order, and the numbers at its top."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import get_args

from mnist_tracking._values.text import number, plural
from mnist_tracking.reading.groups import Groups, shown_rows
from mnist_tracking.reading.lineage import overview
from mnist_tracking.reading.report.best import best_trial
from mnist_tracking.reading.report.charts import curve_chart, parallel_chart, scatter_chart
from mnist_tracking.reading.report.contents import Contents
from mnist_tracking.reading.report.graph import graph
from mnist_tracking.reading.report.markup import Markup, element, joined
from mnist_tracking.reading.report.parts import data_table, details, scrolling, sentence, total
from mnist_tracking.reading.report.ran import code, cost, failures
from mnist_tracking.reading.report.table import board_table, cost_text, duration_text
from mnist_tracking.reading.trial import TrialStatus

__all__ = ["SECTIONS", "figures"]

_MOST_CHARTS = 12


def figures(contents: Contents) -> Markup:
    """Return the numbers at the top of the page."""
    rows, best, objective = contents.rows, contents.best, contents.board.objective
    found: list[tuple[str, str, str]] = []
    if best is not None and objective is not None and best.value is not None:
        found.append((f"best {objective.metric}", number(best.value), best.trial.name))
    counts = Counter(row.state for row in rows)
    detail = ", ".join(f"{counts[state]} {state}" for state in get_args(TrialStatus) if counts[state])
    found.append(("trials", f"{len(rows):,}", detail))
    found.append(("training time", duration_text(total(row.trial.duration_s for row in rows)) or "-", "all trials"))
    if (dollars := total(row.trial.cost for row in rows)) is not None:
        found.append(("cost", cost_text(dollars), _priced(contents)))
    boxes = (
        element("div", element("dt", what), element("dd", value, element("small", more))) for what, value, more in found
    )
    return element("dl", *boxes, class_="figures")


def _priced(contents: Contents) -> str:
    unknown = sum(row.trial.cost is None for row in contents.rows)
    what = "list prices" if contents.board._account.is_billed else "what it would cost on AWS, at list prices"
    return f"{what}; unknown for {plural(unknown, 'trial')}" if unknown else what


def _board(contents: Contents) -> Markup:
    board = contents.board
    notes = [sentence(board.note)] if board.note else []
    return joined([*notes, board_table(contents), *([_groups(contents.groups)] if contents.groups else [])])


def _groups(groups: Groups) -> Markup:
    rows = shown_rows(groups)
    table = data_table(
        "Configurations, the best first", rows[0], ([_shown(cell) for cell in row.values()] for row in rows)
    )
    parts = [element("h3", "Repeats"), sentence(groups.note), scrolling("Configurations", table)]
    return joined(parts)


def _shown(value: object) -> str:
    return "" if value is None else number(value) if isinstance(value, float) else str(value)


def _parameters(contents: Contents) -> Markup:
    objective = contents.board.objective
    ranked = sum(row.value is not None for row in contents.rows)
    if objective is None or not ranked or not contents.parameters:
        return sentence("Nothing to draw: no hyperparameter differs, or no trial has a value for an objective.")
    names = sorted(contents.parameters, key=lambda name: -contents.importance.get(name, 0.0))
    charts = [scatter_chart(contents, name, objective.metric) for name in names[:_MOST_CHARTS]]
    return joined(
        [
            sentence(
                "Each mark is a trial: a ring if it is running, a triangle if it was pruned, stopped or failed, a "
                "cross if it has no value, and an arrowhead if its value is beyond the axis. The leaderboard has "
                "the same values as a table."
            ),
            _legend(),
            element("div", *(element("figure", chart) for chart in charts), class_="charts"),
            *_more(names[_MOST_CHARTS:], "hyperparameters"),
            element("h3", "Together"),
            scrolling("Parallel coordinates", parallel_chart(contents, names[:_MOST_CHARTS], objective.metric)),
        ]
    )


def _legend() -> Markup:
    kinds = {"best": "best", "q0": "top fifth", "q2": "middle", "q4": "lowest fifth"}
    keys = (element("li", element("i", class_=f"key {kind}"), name) for kind, name in kinds.items())
    return element("ul", *keys, class_="legend", aria_label="Colours")


def _more(names: Iterable[str], what: str) -> list[Markup]:
    left_out = list(names)
    return [sentence(f"Not drawn: the {what} {', '.join(left_out)}. The page's data has them.")] if left_out else []


def _importance(contents: Contents) -> Markup:
    if not contents.importance:
        return sentence(contents.why_no_importance or "No hyperparameter differs.")
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
        "caption", "How much each hyperparameter decides whether a trial is among the best, in shares of 100 %"
    )
    return element("table", caption, element("tbody", *rows), class_="importance")


def _bar(share: float) -> Markup:
    bar = element("rect", width=f"{100 * max(share, 0.0):.1f}", height=10, rx=1)
    return element("svg", bar, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def _curves(contents: Contents) -> Markup:
    curves = contents.curves
    every = sorted({metric for series in curves.by_trial.values() for metric in series})
    if not every:
        return joined([sentence("No metric was logged more than once."), *map(sentence, curves.notes)])
    dropped = (f"{trial}: {reason}" for trial, reason in curves.dropped.items())
    return joined(
        [
            sentence("A dashed curve that ends with a cross belongs to a trial that was pruned, stopped or failed."),
            *map(sentence, curves.notes),
            _legend(),
            element(
                "div",
                *(element("figure", curve_chart(contents, name)) for name in every[:_MOST_CHARTS]),
                class_="charts",
            ),
            *_more(every[_MOST_CHARTS:], "metrics"),
            details(
                "Values that were dropped", element("ul", *(element("li", one) for one in dropped), class_="dropped")
            )
            if curves.dropped
            else Markup(),
            details(
                "First, smallest, largest and last values",
                *(_curve_table(contents, name) for name in every[:_MOST_CHARTS]),
            ),
        ]
    )


def _curve_table(contents: Contents, metric: str) -> Markup:
    rows = [
        (row, [value for _, value in contents.curves.by_trial[row.trial.name][metric]])
        for row in contents.rows
        if metric in contents.curves.by_trial.get(row.trial.name, {})
    ]
    body = ([row.trial.name, *map(number, (values[0], min(values), max(values), values[-1]))] for row, values in rows)
    table = data_table(f"{metric} while trials trained", ["trial", "first", "smallest", "largest", "last"], body)
    return scrolling(metric, table)


def _lineage(contents: Contents) -> Markup:
    if contents.lineage is None:
        return sentence("Nothing to trace: no trial is the best.")
    folder, rows = overview(contents.lineage)
    below = f" Locations are below {folder}." if folder else ""
    listed = data_table(
        "From the data to the model", ["what", "made from", "name"], ([row[key] for key in row] for row in rows)
    )
    return joined(
        [
            sentence(f"What {contents.lineage.trial} was made from, and what was made from it.{below}"),
            scrolling("Lineage", graph(contents.lineage)),
            details("As a table", scrolling("Lineage as a table", listed)),
        ]
    )


SECTIONS: tuple[tuple[str, str, Callable[[Contents], Markup]], ...] = (
    ("best", "Best trial", best_trial),
    ("board", "Leaderboard", _board),
    ("parameters", "Hyperparameters", _parameters),
    ("importance", "Importance", _importance),
    ("curves", "Learning curves", _curves),
    ("lineage", "Lineage", _lineage),
    ("failures", "Failed and stopped", failures),
    ("code", "What ran", code),
    ("cost", "Time and cost", cost),
)
"""The id, the title and the content of each section."""
