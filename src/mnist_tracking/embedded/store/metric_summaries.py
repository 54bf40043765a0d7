"""Metrics of a component: every value, and a running summary (Welford 1962, as in Knuth, TAOCP 2, 4.2.2)."""

import math
import sqlite3


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
            mean = mean + (:value - mean) / (count + 1),
            squares = squares + (:value - mean) * (:value - mean - (:value - mean) / (count + 1)),
            last = :value,
            timestamp = :timestamp
        """,
        {"id": component_id, "name": name, "value": value, "timestamp": timestamp},
    )


def sample_deviation(count: int, squares: float) -> float:
    """Return the sample standard deviation (n - 1) that SageMaker shows; 0.0 for a single value."""
    return math.sqrt(max(squares, 0.0) / (count - 1)) if count > 1 else 0.0
