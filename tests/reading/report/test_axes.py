"""Axes: every value has a place, and labels do not overlap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking._values.recordable import ParameterValue
from mnist_tracking.reading.report.axes import axis_of, is_number, score_axis

NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers())
VALUES = st.one_of(NUMBERS, st.booleans(), st.none(), st.text(max_size=3), st.lists(st.integers(), max_size=2))


@given(st.lists(VALUES, min_size=1, max_size=30))
def test_every_value_has_a_place_and_labels_do_not_overlap(values: list[ParameterValue]) -> None:
    axis = axis_of(values)
    ticks = [place for place, _ in axis.ticks]

    assert all(0 <= axis.at(value) <= 1 for value in values)
    assert all(0 <= place <= 1 for place in ticks)
    assert ticks == sorted(ticks)
    assert axis.kind == "category" or len(ticks) <= 12
    assert (axis.kind == "category") == (not all(map(is_number, values)))


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=30, unique=True))
def test_larger_numbers_are_further_along(values: list[float]) -> None:
    axis = axis_of(values)
    places = [axis.at(value) for value in sorted(values)]

    assert places == sorted(places)


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        ([0.0001, 0.001, 0.01, 0.1], "log", ["0.0001", "0.001", "0.01", "0.1"]),
        ([2, 5, 10, 20, 32], "log", ["2", "5", "10", "20", "32"]),
        ([0.1, 0.3, 0.5, 0.7, 0.9], "linear", ["0.1", "0.3", "0.5", "0.7", "0.9"]),
        ([0.830266, 0.87311, 0.938789], "linear", ["0.84", "0.86", "0.88", "0.9", "0.92", "0.94"]),
        (list(range(101)), "linear", ["0", "20", "40", "60", "80", "100"]),
        ([-1.0, 1.0], "linear", ["-1", "1"]),
        ([3], "linear", ["3"]),
        ([True, False, True], "category", ["false", "true"]),
        (["b", 10, 9, "a"], "category", ["9", "10", "a", "b"]),
        (list(map(str, range(10, 30))), "category", ['"10"', '"13"', '"16"', '"19"', '"22"', '"25"', '"28"']),
    ],
)
def test_the_values_decide_the_axis(values: list[ParameterValue], kind: str, labels: list[str]) -> None:
    axis = axis_of(values)

    assert axis.kind == kind
    assert [label for _, label in axis.ticks] == labels


def test_logarithms_have_ticks_at_powers_of_ten() -> None:
    assert [label for _, label in axis_of([10**-place for place in range(12)]).ticks] == [
        "1e-09",
        "1e-06",
        "0.001",
        "1",
    ]
    assert [label for _, label in axis_of([1, 2, 3, 4, 6, 30]).ticks] == ["1", "2", "5", "10", "20"]


def test_scores_far_from_the_others_stand_at_the_end() -> None:
    axis = score_axis([10.0, 96.0, 96.5, 97.0, 97.5, 98.0])

    assert axis.low > 90
    assert [axis.is_beyond(value) for value in (10.0, 96.0)] == [True, False]
    assert not score_axis([10.0, 97.0, 98.0]).is_beyond(10.0)  # too few to say
