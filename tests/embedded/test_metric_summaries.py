"""The running summary of a metric, against Python's statistics and against the largest doubles."""

import math
import sqlite3
import statistics
import sys
from contextlib import closing
from importlib import resources

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnist_tracking.embedded.store import migrations
from mnist_tracking.embedded.store.metric_summaries import MetricSummary, record_metric, summaries_of


def summary_of(values: list[float]) -> MetricSummary:
    """The summary of a metric that got these values."""
    script = resources.files(migrations).joinpath("0001_experiments.sql").read_text()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(script)
        for value in values:
            record_metric(connection, 1, "loss", value, timestamp=0.0)
        (found,) = summaries_of(connection, [1])[1]
    return found


@given(values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_summary_of_a_metric_is_that_of_its_values(values: list[float]) -> None:
    """The running summary gives what Python's statistics give for all the values."""
    found = summary_of(values)

    assert (found.count, found.minimum, found.maximum, found.last) == (
        len(values),
        min(values),
        max(values),
        values[-1],
    )
    assert found.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-6)
    expected = statistics.stdev(values) if len(values) > 1 else 0.0
    assert found.deviation == pytest.approx(expected, rel=1e-6, abs=1e-3)


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
@example(values=[1.7e308, -1.7e308])
@example(values=[-sys.float_info.max, sys.float_info.max, sys.float_info.max])
def test_summary_of_any_finite_values_is_finite(values: list[float]) -> None:
    """What is too large for a double is the largest double."""
    found = summary_of(values)

    assert math.isfinite(found.mean)
    assert 0 <= found.deviation <= sys.float_info.max
    assert (found.count, found.last) == (len(values), values[-1])


def test_mean_and_deviation_saturate() -> None:
    assert summary_of([1.7e308, -1.7e308]).mean == 0.0
    assert summary_of([1.7e308, -1.7e308]).deviation == sys.float_info.max


def test_value_that_is_not_finite_is_no_value() -> None:
    assert summary_of([1.0, math.inf, math.nan, -math.inf]) == summary_of([1.0])
