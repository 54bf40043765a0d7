"""Strategies of hypothesis that draw the spaces of sweeps."""

import itertools
from typing import Any

from hypothesis import strategies as st

from mnist_tracking import Space, choice, fixed, integers, loguniform, uniform, when
from mnist_tracking.experiments.sweep.dimensions import Choice, Dimension, Fixed, Integers

SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | st.text("abc1", max_size=3)
)
VALUES: st.SearchStrategy[Any] = (
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text("ab"), SCALARS, max_size=2)
)
CHOICES: st.SearchStrategy[Any] = st.lists(
    VALUES, min_size=1, max_size=4, unique_by=lambda value: (type(value), repr(value))
)


@st.composite
def dimensions(draw: st.DrawFn, *, is_finite: bool = False) -> Dimension:
    low, width = draw(st.integers(-5, 5)), draw(st.integers(0, 5))
    real = [
        st.just(uniform(low / 7, (low + width) / 7 + 0.1)),
        st.just(loguniform(abs(low) + 1e-4, abs(low) + width + 1)),
    ]
    listed = [
        st.just(uniform(low / 10, (low + width) / 10, step=draw(st.sampled_from([0.1, 0.25, 1 / 3])))),
        st.just(integers(low, low + width, step=draw(st.integers(1, 3)))),
        st.just(integers(abs(low) + 1, abs(low) + 1 + width, log=True)),
        st.just(integers(3 * abs(low) + 3, 3 * abs(low) + 3 + width, step=3, log=True)),
        CHOICES.map(choice),
        VALUES.map(fixed),
    ]
    found: Dimension = draw(st.one_of(*listed, *([] if is_finite else real)))
    return found


@st.composite
def spaces(draw: st.DrawFn, *, is_finite: bool = False) -> Space:
    """A space in which each parameter may depend on earlier ones, and groups are nested."""
    found: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 5))):
        dimension: Any = draw(dimensions(is_finite=is_finite))
        for parent in draw(st.lists(st.sampled_from(sorted(found) or ["p0"]), max_size=2, unique=True)):
            possible = found.get(parent)
            while possible is not None and hasattr(possible, "given"):
                possible = possible.given
            if isinstance(possible, Choice | Integers | Fixed):
                values = list(itertools.islice(possible.grid(), 3))
                dimension = when(parent, draw(st.lists(st.sampled_from(values), min_size=1)), dimension)
        found[f"p{number}"] = dimension
    return Space.of({"nested": found, "other": [1, 2]} if draw(st.booleans()) else found)
