"""A parameter is read back as it was put in, whoever records it."""

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnist_tracking import ConfigError
from mnist_tracking._aws.components import encode_parameters
from mnist_tracking._aws.convert import decode_parameter
from mnist_tracking._values.recordable import encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=100)
)


@given(value=SCALARS)
@example(value="true")
@example(value="null")
@example(value='"quoted"')
@example(value='"')
@example(value="")
@example(value="two\nlines")
def test_it_comes_back(value: Any) -> None:
    kept = encode_parameters({"x": value})["x"]
    decoded = decode_parameter({"StringValue" if isinstance(kept, str) else "NumberValue": kept})

    assert decoded == value
    assert isinstance(decoded, type(value)) or value == int(value)  # 2.0 is read back as 2, as everywhere


@given(text=st.text(max_size=100))
def test_a_text_is_kept_on_one_line(text: str) -> None:
    """SageMaker refuses any other."""
    assert len(str(encode(text)).splitlines()) == 1


def test_a_large_integer_keeps_its_digits() -> None:
    assert encode(2**63 - 1) == "9223372036854775807"


@pytest.mark.parametrize("value", [math.nan, math.inf, "x" * 2501, "\n" * 2000])
def test_what_a_component_cannot_keep_is_refused_in_a_step(value: Any) -> None:
    assert encode(value) is None
    with pytest.raises(ConfigError, match=r"expected a finite number|SageMaker stores at most 2500"):
        encode_parameters({"x": value})
