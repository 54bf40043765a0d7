"""
Metrics of a component: every value, and a running summary (Welford 1962, as in Knuth, TAOCP 2, 4.2.2).

Any finite value can be added. Values whose differences exceed the range of floats keep an exact minimum, maximum and
mean; the sum of squares ends at the largest float, and so does the deviation at its root.
"""

import math
import sqlite3
import sys


def record_metric(
    connection: sqlite3.Connection,
    component_id: int,
    name: str,
    value: float,
    timestamp: float,
    step: int | None = None,
) -> None:
    """Add one value of a metric to a component, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO metric_values (component_id, name, step, value, timestamp) VALUES (?, ?, ?, ?, ?)",
        (component_id, name, step, value, timestamp),
    )
    connection.execute(
        """
        INSERT INTO metric_summaries VALUES (:id, :name, 1, :value, :value, :value, 0.0, :value, :timestamp)
        ON CONFLICT (component_id, name) DO UPDATE SET
            count = count + 1,
            minimum = min(minimum, :value),
            maximum = max(maximum, :value),
            mean = CASE WHEN abs(:value - mean) <= :largest
                THEN mean + (:value - mean) / (count + 1)
                ELSE mean / (count + 1) * count + :value / (count + 1) END,
            squares = CASE WHEN abs(:value - mean) <= :largest
                THEN min(:largest, squares + (:value - mean) * (:value - mean - (:value - mean) / (count + 1)))
                ELSE :largest END,
            last = :value,
            timestamp = :timestamp
        """,
        {"id": component_id, "name": name, "value": value, "timestamp": timestamp, "largest": sys.float_info.max},
    )


def sample_deviation(count: int, squares: float) -> float:
    """Return the sample standard deviation (n - 1) that SageMaker shows; 0.0 for a single value."""
    return math.sqrt(max(squares, 0.0) / (count - 1)) if count > 1 else 0.0
