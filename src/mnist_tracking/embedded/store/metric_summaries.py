"""
Metrics of components: every value, and a running summary (Welford 1962, as in Knuth, TAOCP 2, 4.2.2).

**Saturation.** Every finite value can be recorded. A statistic that is too large for a double is the largest double.
"""

import math
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from mnist_tracking.embedded.store.pages import OWNERS, rows_by_owner

_LARGEST = sys.float_info.max
_COLUMNS = "name, count, minimum, maximum, mean, squares, last, timestamp"
_SCALE = 2.0**-64  # of sums, so that those of the largest values are finite; exact, since it is a power of two


@attrs.frozen
class MetricSummary:
    """
    The statistics of one metric of one component.

    Attributes:
        name: The metric.
        count: How many values there are.
        minimum: The smallest.
        maximum: The largest.
        mean: Their mean.
        squares: The sum of the squares of their differences from the mean; infinite if it is too large.
        last: The value recorded last.
        timestamp: Its time, in seconds since the epoch.
    """

    name: str
    count: int
    minimum: float
    maximum: float
    mean: float
    squares: float
    last: float
    timestamp: float

    @property
    def deviation(self) -> float:
        """The sample standard deviation (n - 1) that SageMaker shows; 0.0 for a single value."""
        return saturated(math.sqrt(max(self.squares, 0.0) / (self.count - 1))) if self.count > 1 else 0.0

    def with_value(self, value: float, timestamp: float) -> "MetricSummary":
        """Return the statistics with one more finite value."""
        count, delta = self.count + 1, value - self.mean
        mean = self.mean + delta / count
        if math.isinf(delta):  # the difference of two doubles need not be one
            mean = self.mean * (self.count / count) + value / count
        return MetricSummary(
            self.name,
            count,
            min(self.minimum, value),
            max(self.maximum, value),
            mean,
            self.squares + delta * (value - mean),
            value,
            timestamp,
        )


@attrs.frozen
class MetricPeriod:
    """The statistics of one metric in one period of time, which starts at *time*, in seconds since the epoch."""

    time: int
    count: int
    total: float
    mean: float
    minimum: float
    maximum: float


def saturated(value: float) -> float:
    """Return a number as a finite double."""
    return max(-_LARGEST, min(_LARGEST, value))


def record_metric(
    connection: sqlite3.Connection,
    component_id: int,
    name: str,
    value: float,
    timestamp: float,
    step: int | None = None,
) -> None:
    """
    Add one value of a metric to a component, inside the caller's transaction.

    A value that is not finite is ignored, as by SageMaker. What cannot be encoded in *name* becomes question marks.
    """
    if not math.isfinite(value):
        return
    name = name.encode(errors="replace").decode()
    connection.execute(
        "INSERT INTO metric_values (component_id, name, step, value, timestamp) VALUES (?, ?, ?, ?, ?)",
        (component_id, name, step, value, timestamp),
    )
    sql = f"SELECT {_COLUMNS} FROM metric_summaries WHERE component_id = ? AND name = ?"
    old = connection.execute(sql, (component_id, name)).fetchone()
    new = _first(name, value, timestamp) if old is None else MetricSummary(*old).with_value(value, timestamp)
    connection.execute(
        "INSERT OR REPLACE INTO metric_summaries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (component_id, *attrs.astuple(new, recurse=False)),
    )


def _first(name: str, value: float, timestamp: float) -> MetricSummary:
    return MetricSummary(name, 1, value, value, value, 0.0, value, timestamp)


def summaries_of(connection: sqlite3.Connection, component_ids: Sequence[int]) -> Mapping[int, list[MetricSummary]]:
    """Return the statistics of the metrics of each of several components, by name."""
    sql = f"SELECT component_id, {_COLUMNS} FROM metric_summaries WHERE component_id IN {OWNERS}"
    rows = rows_by_owner(connection, f"{sql} ORDER BY component_id, name", component_ids)
    return {owner: [MetricSummary(*row[1:]) for row in rows[owner]] for owner in component_ids}


def summaries_until(
    connection: sqlite3.Connection, component_id: int, until: Callable[[str], float]
) -> Iterator[MetricSummary]:
    """Yield the statistics of a component's metrics, by name, of the values up to a time for each metric."""
    for whole in summaries_of(connection, [component_id])[component_id]:
        found, latest = None, until(whole.name)
        for _, value, timestamp in values_of(connection, component_id, whole.name):
            if timestamp <= latest:
                found = _first(whole.name, value, timestamp) if found is None else found.with_value(value, timestamp)
        if found is not None:
            yield found


def values_of(connection: sqlite3.Connection, component_id: int, name: str) -> list[tuple[int | None, float, float]]:
    """Return the steps, values and times of a metric, in the order in which they were recorded."""
    return connection.execute(
        "SELECT step, value, timestamp FROM metric_values WHERE component_id = ? AND name = ? ORDER BY id",
        (component_id, name),
    ).fetchall()


def periods_of(
    connection: sqlite3.Connection, job: str | None, name: str, span: tuple[float, float], period: int
) -> Iterator[MetricPeriod]:
    """Yield the statistics of a metric of a training job in each period of a span of time that has a value."""
    rows = connection.execute(
        """
        SELECT CAST(m.timestamp / :period AS INTEGER) * :period AS time, count(*), total(m.value * :scale),
               min(m.value), max(m.value)
        FROM metric_values m JOIN training_jobs j ON j.component_id = m.component_id
        WHERE j.name = :job AND m.name = :metric AND m.timestamp >= :start AND m.timestamp < :end
        GROUP BY time ORDER BY time
        """,
        {"job": job, "metric": name, "start": span[0], "end": span[1], "period": period, "scale": _SCALE},
    )
    for time, count, total, least, most in rows:
        mean = max(least, min(most, total / count / _SCALE))
        yield MetricPeriod(time, count, saturated(total / _SCALE), mean, least, most)
