"""The reported values of a trial, as one parameter."""

from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking._values.reported import pack_values, unpack_values

VALUES = st.dictionaries(
    st.integers(0, 999_999_999), st.floats(allow_nan=False, allow_infinity=False), max_size=300
).map(lambda values: dict(sorted(values.items())))


@given(values=VALUES)
def test_values_that_fit_are_exact_and_others_keep_both_ends(values: dict[int, float]) -> None:
    text = pack_values(values, 2500)
    read = unpack_values(text)

    assert len(text) <= 2500
    assert list(read) == [step for step in values if step in read]
    if len(pack_values(values, 10**6)) <= 2500:
        assert read == values
    assert list(read)[:16] == list(values)[:16]
    assert list(read)[-16:] == list(values)[-16:]


def test_trials_of_different_lengths_keep_the_same_steps_in_the_middle() -> None:
    short, long = (unpack_values(pack_values({n: 1 / n for n in range(1, most)}, 2500)) for most in (400, 900))
    middle = range(17, 380)

    assert {step for step in long if step in middle} <= set(short)
    assert 100 < len(long) < 200
    assert list(short) == sorted(short)
