"""Sparklines: whatever the numbers, the line has its width, and its shape is theirs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking._values.sparkline import ASCII_BARS, BARS, Curve, bars_for, sparkline

ANY = st.floats()  # NaN, infinities, subnormal and huge ones included
FINITE = st.floats(allow_nan=False, allow_infinity=False)
WIDTHS = st.integers(1, 40)


@given(st.lists(ANY, max_size=200), WIDTHS, st.sampled_from([BARS, ASCII_BARS]))
def test_a_line_is_as_wide_as_there_is_room_and_has_only_bars_and_gaps(
    values: list[float], width: int, bars: str
) -> None:
    line = sparkline(values, width, bars=bars)

    assert len(line) == min(len(values), width)
    assert set(line) <= {*bars, " "}
    assert (line.strip() == "") == (not any(map(math.isfinite, values)))


@given(st.lists(ANY, max_size=40))
def test_a_gap_is_where_no_value_is_finite(values: list[float]) -> None:
    assert [bar == " " for bar in sparkline(values, 40)] == [not math.isfinite(value) for value in values]


@given(st.lists(FINITE, min_size=2, max_size=40))
def test_a_higher_value_has_no_lower_bar(values: list[float]) -> None:
    heights = [BARS.index(bar) for bar in sparkline(values, 40)]
    low, high = min(values), max(values)

    assert [height for _, height in sorted(zip(values, heights, strict=True))] == sorted(heights)
    if high / 2 > low / 2:
        assert heights[values.index(low)] == 0
        assert heights[values.index(high)] == len(BARS) - 1


@given(FINITE, st.integers(1, 100))
def test_equal_values_are_a_level_line(value: float, count: int) -> None:
    assert sparkline([value] * count, 100) == "▄" * count


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([0.5], "▄"),
        ([-1.7e308, 1.7e308], "▁█"),
        ([1.7e308] * 3 + [-1.7e308], "███▁"),
        ([1e-300, 1e300, math.inf, 1e-300], "▁█ ▁"),
        ([5e-324, 0.0], "▄▄"),
        ([math.nan], " "),
    ],
)
def test_extreme_values_are_drawn(values: list[float], line: str) -> None:
    assert sparkline(values) == line


def test_many_values_keep_their_shape() -> None:
    assert sparkline([abs(place - 500) for place in range(1_000)], 9) == "█▆▄▂▁▂▄▆█"


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=500), st.sampled_from([2, 8, 32]))
def test_a_curve_stays_short_and_keeps_the_mean(values: list[float], most: int) -> None:
    """Also its end: the last values are in the last mean."""
    curve = Curve(most)
    for value in values:
        curve.add(value)
    means = list(curve)

    assert 1 <= len(means) <= most
    assert min(values) - 1e-3 <= min(means) <= max(means) <= max(values) + 1e-3


@given(st.lists(ANY, max_size=100))
def test_a_curve_of_any_values_can_be_drawn(values: list[float]) -> None:
    curve = Curve(8)
    for value in values:
        curve.add(value)

    assert len(sparkline(curve)) <= 8


@given(st.lists(st.integers(0, 100), max_size=31))
def test_a_short_curve_is_the_series_itself(values: list[int]) -> None:
    curve = Curve()
    for value in values:
        curve.add(value)

    assert list(curve) == values


@pytest.mark.parametrize(("encoding", "bars"), [("utf-8", BARS), ("ascii", ASCII_BARS), ("", ASCII_BARS)])
def test_a_stream_gets_bars_that_it_can_encode(encoding: str, bars: str) -> None:
    assert bars_for(encoding) == bars
