"""Statistics of a few values, held to SciPy's."""

import itertools
import math
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking.reading.statistics import deviation, holm, interval, t_quantile, t_two_sided, welch

FREEDOMS = [1, 1.3, 2, 3, 4.7, 9, 30, 200.5, 10_000]
values = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)


def test_the_distribution_of_t_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")

    for freedom, t in itertools.product(FREEDOMS, [0.0, 1e-6, 0.1, 0.7, 1.0, 2.0, 4.3, 12.7, 100.0, 1e4]):
        assert t_two_sided(-t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-10, abs=1e-300)


def test_the_quantiles_of_t_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")

    for freedom, confidence in itertools.product(FREEDOMS, [0.5, 0.9, 0.95, 0.99, 0.999]):
        expected = stats.t.ppf((1 + confidence) / 2, freedom)
        assert t_quantile(freedom, confidence) == pytest.approx(expected, rel=1e-10)


@given(values, values)
def test_the_test_of_welch_is_that_of_scipy(one: list[float], other: list[float]) -> None:
    stats = pytest.importorskip("scipy.stats")
    spreads = [max(map(abs, group)) * 1e-6 for group in (one, other)]
    if any((deviation(group) or 0) <= spread for group, spread in zip((one, other), spreads, strict=True)):
        return  # where rounding decides

    assert welch(one, other) == pytest.approx(stats.ttest_ind(one, other, equal_var=False).pvalue, rel=1e-9, abs=1e-300)


def test_groups_that_do_not_vary_are_equal_or_differ() -> None:
    assert welch([0.5, 0.5], [0.5, 0.5, 0.5]) == 1.0
    assert welch([0.5, 0.5], [0.75, 0.75]) == 0.0
    assert 0.0 < welch([0.5, 0.5], [0.75, 0.8]) < 1.0


@given(st.lists(st.floats(0, 1), max_size=8))
def test_adjusted_p_values_keep_their_order_and_never_shrink(p_values: list[float]) -> None:
    adjusted = holm(p_values)

    assert all(p <= corrected <= 1 for p, corrected in zip(p_values, adjusted, strict=True))
    assert [*sorted(adjusted)] == [corrected for _, corrected in sorted(zip(p_values, adjusted, strict=True))]


def test_p_values_are_adjusted_as_in_the_literature() -> None:
    """By Holm (1979): the smallest is multiplied by their number, the next by one less; none is below one before."""
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])


def test_one_value_has_no_spread() -> None:
    assert (fmean([2.0]), deviation([2.0]), interval([2.0])) == (2.0, None, None)


@given(values)
def test_an_interval_is_that_of_scipy(group: list[float]) -> None:
    stats = pytest.importorskip("scipy.stats")
    spread, found = deviation(group), interval(group)

    assert spread is not None
    assert found is not None
    scale = spread / math.sqrt(len(group))
    expected = stats.t.interval(0.95, len(group) - 1, loc=fmean(group), scale=scale) if scale else (fmean(group),) * 2
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_what_is_as_good_as_the_best_is_rarely_called_worse() -> None:
    """A given one of five equal configurations: simulated, since the best is chosen by its values."""
    draw, lost = random.Random(1), 0
    for _ in range(400):
        drawn = [[draw.gauss(0.0, spread) for _ in range(5)] for spread in (0.5, 1.0, 1.0, 1.5, 2.0)]
        best = max(drawn, key=fmean)
        others = [group for group in drawn if group is not best]
        adjusted = dict(zip(map(id, others), holm([welch(best, group) for group in others]), strict=True))
        lost += adjusted.get(id(drawn[1]), 1.0) <= 0.05

    assert lost / 400 <= 0.05
