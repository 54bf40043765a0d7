"""What a page shows: read once, and the same for its tables, its charts and its JSON."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from mnist_tracking._values.json import to_json
from mnist_tracking._values.text import main_metrics
from mnist_tracking._values.version import __version__
from mnist_tracking.errors import MissingDependencyError, StateError
from mnist_tracking.reading.groups import Groups
from mnist_tracking.reading.leaderboard import Leaderboard, differing
from mnist_tracking.reading.lineage import Lineage
from mnist_tracking.reading.report.curves import Curves, read_curves
from mnist_tracking.reading.report.pictures import Shown, read_shown
from mnist_tracking.reading.scores import score
from mnist_tracking.reading.trial import Trial, TrialStatus, logged_metrics, status_of

__all__ = ["Contents", "Row", "read_contents", "to_document"]

SHADES = 5


@attrs.frozen
class Row:
    """
    A trial on the page.

    Attributes:
        place: Its place on the leaderboard, from 0.
        trial: The trial.
        value: Its value for the objective.
        note: What must be known about its rank: a tie, why it has no value, why it was stopped.
        state: How its training ended.
        shade: The fifth of the ranked trials that it is in, from 0, the best; None if it has no value.
    """

    place: int
    trial: Trial
    value: float | None
    note: str
    state: TrialStatus
    shade: int | None


@attrs.frozen
class Contents:
    """
    Everything on a page.

    Attributes:
        board: The leaderboard.
        rows: Its trials, in its order.
        best: The best trial; None without one.
        why_no_best: Why no trial is the best; empty if one is.
        parameters: The hyperparameters that differ.
        metrics: The main metrics, without the objective's.
        curves: The learning curves.
        importance: How much each hyperparameter matters, the most important first.
        why_no_importance: Why that is not known; empty if it is.
        groups: The configurations, if any was repeated.
        lineage: What went into the best trial.
        shown: The pictures of the best trial.
        written: When all this was read.
    """

    board: Leaderboard
    rows: tuple[Row, ...]
    best: Row | None
    why_no_best: str
    parameters: tuple[str, ...]
    metrics: tuple[str, ...]
    curves: Curves
    importance: Mapping[str, float]
    why_no_importance: str
    groups: Groups | None
    lineage: Lineage | None
    shown: Shown
    written: datetime

    def metrics_of(self, trial: Trial) -> list[str]:
        """Return the main metrics of a trial, and the objective's."""
        objective = self.board.objective
        return main_metrics(trial.last_values, keep={objective.metric} if objective else ())


def read_contents(board: Leaderboard, curves: int | None) -> Contents:
    """Read what a page shows beyond the leaderboard: curves, and the artifacts and the lineage of the best trial."""
    objective = board.objective
    rows = _rows(board)
    best, why_no_best = _best(board, rows)
    importance, why_no_importance = _importance(board)
    asked = {objective.metric} if objective else set[str]()
    metrics = main_metrics(logged_metrics(board.trials))
    return Contents(
        board=board,
        rows=rows,
        best=best,
        why_no_best=why_no_best,
        parameters=tuple(differing(board)),
        metrics=tuple(name for name in metrics if name not in asked),
        curves=read_curves(board.trials, curves, objective.metric if objective else None),
        importance=importance,
        why_no_importance=why_no_importance,
        groups=_repeated(board),
        lineage=best.trial.lineage() if best else None,
        shown=read_shown(best.trial) if best else Shown(),
        written=datetime.fromtimestamp(time.time(), UTC),
    )


def _rows(board: Leaderboard) -> tuple[Row, ...]:
    values = [score(trial, board.objective) if board.objective else None for trial in board]
    ranked = sum(value is not None for value in values)
    return tuple(
        Row(
            place,
            trial,
            value,
            board.note_of(trial),
            status_of(trial),
            None if value is None else place * SHADES // ranked,
        )
        for place, (trial, value) in enumerate(zip(board, values, strict=True))
    )


def _best(board: Leaderboard, rows: Sequence[Row]) -> tuple[Row | None, str]:
    if board.objective is None:
        return None, "The leaderboard has no objective, so no trial is the best."
    try:
        name = board.best.name
    except StateError as error:
        return None, str(error)
    return next(row for row in rows if row.trial.name == name), ""


def _importance(board: Leaderboard) -> tuple[Mapping[str, float], str]:
    if board.objective is None:
        return {}, "The leaderboard has no objective."
    try:
        return board.importance(), ""
    except (MissingDependencyError, StateError) as error:
        return {}, str(error)


def _repeated(board: Leaderboard) -> Groups | None:
    groups = board.groups() if board.objective else None
    return groups if groups and any(len(group.trials) > 1 for group in groups) else None


def to_document(contents: Contents) -> dict[str, Any]:
    """Return what a page shows as JSON values, for programs that read it."""
    board, lineage = contents.board, contents.lineage
    return {
        "schema_version": 1,
        "library_version": __version__,
        "written": to_json(contents.written),
        "experiments": list(board.experiments),
        "objective": board.objective and to_json(board.objective),
        "best": contents.best and contents.best.trial.name,
        "trials": [_trial(row) for row in contents.rows],
        "curves": to_json(contents.curves.by_trial),
        "curves_left_out": list(contents.curves.notes),
        "importance": to_json(contents.importance),
        "lineage": lineage and {"nodes": to_json(lineage.nodes), "edges": to_json(lineage.edges)},
    }


def _trial(row: Row) -> dict[str, Any]:
    trial = row.trial
    return {
        "rank": row.place + 1,
        "trial": trial.name,
        "experiment": trial.experiment,
        "status": trial.status,
        "state": row.state,
        "value": row.value,
        "note": row.note,
        "reason": trial.failure_reason or trial.stop_reason,
        "created": to_json(trial.created),
        "ended": to_json(trial.ended),
        "duration_s": trial.duration_s,
        "billable_s": trial.billable_s,
        "cost": trial.cost,
        "sweep": trial.sweep and {"name": trial.sweep.sweep, "slot": trial.sweep.slot, "repeat": trial.sweep.repeat},
        "job": trial.job_name,
        "model": trial.model_uri,
        "code": trial.code_uri,
        "parameters": to_json(trial.configuration),
        "metrics": {name: None if isinstance(last, str) else last for name, last in trial.last_values.items()},
        "non_finite": dict(trial.non_finite),
        "provenance": {name: value for name, value in to_json(trial.provenance).items() if value not in (None, {})},
    }
