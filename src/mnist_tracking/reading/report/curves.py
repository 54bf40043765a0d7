"""The learning curves of trials: read from their logs in threads, and thinned to what a chart shows."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import attrs

from mnist_tracking._aws.metrics import read_series
from mnist_tracking._values.records import MetricSeries
from mnist_tracking._values.text import plural
from mnist_tracking.errors import AccessDeniedError, NotFoundError
from mnist_tracking.reading.trial import Trial

__all__ = ["Curves", "Points", "read_curves", "thinned"]

Points = tuple[tuple[int, float], ...]
"""The steps and the values of a metric."""

_READS = 8  # logs at once
_MOST_POINTS = 200  # of a curve
_MOST_IN_ALL = 20_000
_FEWEST = 12


@attrs.frozen
class Curves:
    """
    The values of metrics while trials ran.

    Attributes:
        by_trial: The points of each metric that any trial has logged more than once, by trial.
        dropped: By trial, which values are missing, and why.
        notes: What was left out of all this, as sentences.
    """

    by_trial: Mapping[str, Mapping[str, Points]]
    dropped: Mapping[str, str]
    notes: tuple[str, ...]


def read_curves(trials: Sequence[Trial], limit: int | None, objective: str | None) -> Curves:
    """
    Read the values of every metric of the first *limit* trials, a few logs at a time.

    Args:
        trials: The trials, the best first.
        limit: How many logs to read; None for all. Trials after these have the values that were recorded with them.
        objective: The metric of those values.
    """
    trained = [trial for trial in trials if trial.component_name]
    read, rest = trained[:limit], trained[len(trained[:limit]) :]
    with ThreadPoolExecutor(_READS, thread_name_prefix="report") as pool:
        try:
            found = dict(zip((trial.name for trial in read), pool.map(_series, read), strict=True))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    series = {name: one for name, one in found.items() if not isinstance(one, str)}
    points = {
        trial: {name: tuple((point.step, point.value) for point in one) for name, one in every.items()}
        for trial, every in series.items()
    }
    recorded = {trial.name: _recorded(trial, objective) for trial in rest}
    notes = [*_unread(found), *_after(recorded, rest)]
    dropped = {name: " ".join(filter(None, (one.dropped for one in every.values()))) for name, every in series.items()}
    return Curves(
        _thinned(_curves({**points, **recorded})), {name: text for name, text in dropped.items() if text}, tuple(notes)
    )


def _series(trial: Trial) -> dict[str, MetricSeries] | str:
    """Return the series of a trial, or why they cannot be read."""
    found: dict[str, MetricSeries] = {}
    try:
        for component in trial.steps:
            found |= read_series(trial._account, component)
    except (AccessDeniedError, NotFoundError) as error:
        return str(error)
    return found


def _recorded(trial: Trial, objective: str | None) -> dict[str, Points]:
    points = tuple(sorted(trial.reported.items())) if objective else ()
    return {objective: points} if objective and points else {}


def _curves(by_trial: Mapping[str, Mapping[str, Points]]) -> dict[str, dict[str, Points]]:
    """Return the metrics of which any trial has several values; a trial that was pruned early may have only one."""
    several = {name for series in by_trial.values() for name, points in series.items() if len(points) > 1}
    return {
        trial: {name: points for name, points in series.items() if name in several and points}
        for trial, series in by_trial.items()
    }


def _unread(found: Mapping[str, object]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name, one in found.items():
        if isinstance(one, str):
            reasons.setdefault(one, []).append(name)
    return [
        f"The values of {plural(len(names), 'trial')} cannot be read: {reason}" for reason, names in reasons.items()
    ]


def _after(recorded: Mapping[str, Mapping[str, Points]], rest: Sequence[Trial]) -> list[str]:
    if not rest:
        return []
    drawn = sum(map(bool, recorded.values()))
    left_out = f"The logs of {plural(len(rest), 'trial')} after the best were not read"
    return [f"{left_out}; {drawn} of them show the values of the objective that their sweep recorded."]


def _thinned(by_trial: Mapping[str, Mapping[str, Points]]) -> dict[str, dict[str, Points]]:
    count = sum(map(len, by_trial.values()))
    most = min(_MOST_POINTS, max(_FEWEST, _MOST_IN_ALL // max(count, 1)))
    return {
        trial: {name: thinned(points, most) for name, points in series.items()}
        for trial, series in by_trial.items()
        if series
    }


def thinned(points: Sequence[tuple[int, float]], most: int) -> Points:
    """
    Return at most *most* points of a curve: its ends, and the smallest and the largest of each stretch between.

    Example:
        >>> thinned([(0, 1), (1, 5), (2, 3), (3, -1), (4, 2), (5, 0)], most=4)
        ((0, 1), (1, 5), (3, -1), (5, 0))
    """
    if len(points) <= most:
        return tuple(points)
    inner = points[1:-1]
    stretches = max((most - 2) // 2, 1)
    bounds = [len(inner) * place // stretches for place in range(stretches + 1)]
    kept = [points[0]]
    for start, stop in pairwise(bounds):
        kept += _extremes(inner[start:stop])
    return (*kept, points[-1])


def _extremes(points: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    ordered = sorted(enumerate(points), key=lambda item: item[1][1])
    ends = {ordered[0][0]: ordered[0][1], ordered[-1][0]: ordered[-1][1]}
    return [point for _, point in sorted(ends.items())]
