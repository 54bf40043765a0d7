"""The section of the best trial: its hyperparameters and metrics, its confusion matrices and its pictures."""

import base64

from mnist_tracking._values.recordable import as_text
from mnist_tracking._values.text import number
from mnist_tracking.reading.report.contents import Contents
from mnist_tracking.reading.report.markup import Markup, element, joined
from mnist_tracking.reading.report.parts import facts_table, scrolling, sentence
from mnist_tracking.reading.report.pictures import Matrix, Picture

__all__ = ["best_trial"]


def best_trial(contents: Contents) -> Markup:
    """Return the best trial, or why no trial is the best."""
    best = contents.best
    if best is None:
        return sentence(contents.why_no_best)
    trial = best.trial
    last_values = {name: trial.last_values[name] for name in contents.metrics_of(trial)}
    values = {name: last if isinstance(last, str) else number(last) for name, last in last_values.items()}
    facts = [
        facts_table("Hyperparameters", {name: as_text(value) for name, value in trial.configuration.items()}),
        facts_table("Metrics, last values", values),
    ]
    shown = [*map(_matrix, contents.shown.matrices), *map(_picture, contents.shown.pictures)]
    return joined(
        [
            element("p", element("strong", trial.name), f" of experiment {trial.experiment}", class_="lead"),
            element("div", element("div", *facts), *shown, class_="columns"),
            *map(sentence, contents.shown.notes),
        ]
    )


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
    return element("div", scrolling("Confusion matrix", table), class_="matrix")


def _count(counts: tuple[int, ...], row: int, column: int) -> Markup:
    depth = counts[column] * 8 // max(sum(counts), 1)  # of 9 shades
    kind = "right" if row == column else "wrong" if counts[column] else None
    return element("td", counts[column] or "", class_=f"{kind} s{depth}" if kind else None)


def _picture(picture: Picture) -> Markup:
    source = f"data:{picture.media_type};base64,{base64.b64encode(picture.content).decode()}"
    caption = f"{picture.name}, recorded by the step {picture.step}"
    return element("figure", element("img", src=source, alt=caption), element("figcaption", caption))
