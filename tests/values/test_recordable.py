"""A parameter is read back as it was recorded, whoever records it: as the same value of the same type."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnist_tracking import ConfigError
from mnist_tracking._aws.components import check_parameters, encode_parameters
from mnist_tracking._aws.convert import decode_parameters
from mnist_tracking._values.exact import exact_hyperparameters
from mnist_tracking._values.recordable import encode, recordable, same_value
from mnist_tracking._values.records import ParameterValue

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**53 - 2, 2**53 + 2)
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-1000, 1000).map(float)
    | st.text(max_size=100)
    | st.sampled_from(["2", "2.0", "007", "1e5", "nan", "1_000", " 3 ", "None", "True"])
)
ANY = SCALARS | st.recursive(
    SCALARS, lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3)
)
VALUES = st.dictionaries(st.text("abc.:", min_size=1, max_size=4), ANY, max_size=8)


def _stored(kept: Mapping[str, str | float]) -> dict[str, dict[str, Any]]:
    return {name: {"StringValue" if isinstance(value, str) else "NumberValue": value} for name, value in kept.items()}


def _as_the_service_types(hyperparameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Type hyperparameters as the service does, after the SDK has encoded them as JSON."""
    return _stored({name: _typed(json.dumps(value)) for name, value in hyperparameters.items()})


def _typed(text: str) -> str | float:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _repr(values: Mapping[str, ParameterValue]) -> dict[str, str]:
    """Return values so that 2 differs from 2.0 and 0.0 from -0.0."""
    return {name: repr(value) for name, value in values.items()}


@given(values=VALUES)
@example(values={"x": "true", "y": "null", "z": '"quoted"'})
@example(values={"x": '"', "y": "", "z": "two\nlines"})
@example(values={"x": "[64, 128]", "y": [64, 128], "z": '{"a": 1}'})
@example(values={"x": 2.0, "y": 2, "z": -0.0})
@example(values={"x": 2**53, "y": 2**53 + 1, "z": 2.0**53})
@example(values={"x": 10**400, "y": str(10**400), "z": 1e300})
def test_it_comes_back_from_a_step(values: dict[str, ParameterValue]) -> None:
    assert _repr(decode_parameters(_stored(encode_parameters(values)))) == _repr(values)


@given(values=VALUES)
@example(values={"x": 2.0, "y": 2, "z": -0.0})
@example(values={"x": 2**53, "y": 2**53 + 1, "z": 2.0**53})
@example(values={"x": 10**400, "y": str(10**400), "z": 1e300})
@example(values={f"{number:050}": float(number) for number in range(90)})
def test_it_comes_back_from_a_job(values: dict[str, ParameterValue]) -> None:
    sent = {**values, **exact_hyperparameters(values)}

    assert _repr(decode_parameters(_as_the_service_types(sent))) == _repr(values)
    assert all(len(json.dumps(value)) <= 2500 for value in sent.values())


@given(one=SCALARS, other=SCALARS)
@example(one=2.0, other=2)
@example(one=2**60 + 1, other=0.5)
@example(one=2**60 + 1, other="x")
def test_the_last_value_of_several_comes_back(one: ParameterValue, other: ParameterValue) -> None:
    first = encode_parameters({"x": one})
    both = {**first, **encode_parameters({"x": other}, known=first)}

    assert _repr(decode_parameters(_stored(both))) == _repr({"x": other})


def test_numbers_of_others_are_read_as_what_they_probably_were() -> None:
    """The tools of others record no exact values."""
    found = _stored({"epochs": 2.0, "lr": 0.1, "large": 1e300})

    assert _repr(decode_parameters(found)) == {"epochs": "2", "lr": "0.1", "large": "1e+300"}


@pytest.mark.parametrize("text", ["[", "1", "{}", "[1]", ""])
def test_reserved_names_that_others_use_are_harmless(text: str) -> None:
    reserved = {
        "mnist-tracking:exact.x": text,
        "sagemaker_mnist_tracking_exact.x": text,
        "sagemaker_mnist_tracking_floats": text,
    }

    assert decode_parameters(_stored({"x": 2.0, **reserved})) == {"x": 2}


@given(text=st.text(max_size=100))
def test_a_text_is_kept_on_one_line(text: str) -> None:
    """SageMaker refuses any other."""
    assert len(str(encode(text)).splitlines()) == 1


def test_a_number_beyond_all_floats_keeps_its_digits() -> None:
    assert encode(10**400) == str(10**400)


@pytest.mark.parametrize("value", [math.nan, math.inf, "x" * 2501, "\n" * 2000])
def test_what_a_component_cannot_keep_is_refused_in_a_step(value: Any) -> None:
    assert encode(value) is None
    with pytest.raises(ConfigError, match=r"expected a finite number|SageMaker stores at most 2500"):
        check_parameters("parameter", {"x": value})


@pytest.mark.parametrize("kind", ["parameter", "hyperparameter"])
def test_an_integer_without_end_is_refused(kind: Any) -> None:
    """Python itself does not print one of more than 4300 digits."""
    with pytest.raises(ConfigError, match="more than 2500 digits"):
        recordable(kind, "seed", 10**5000)


def test_a_name_that_is_too_long_for_exact_digits_is_refused() -> None:
    with pytest.raises(ConfigError, match="at most 225 characters"):
        exact_hyperparameters({"x" * 226: 2**60 + 1})
    with pytest.raises(ConfigError, match="at most 299 characters"):
        encode_parameters({"x" * 300: 2.0})


@pytest.mark.parametrize("value", ["\udcff", ["a", "\udcff"], {"\udcff": 1}])
def test_text_that_is_not_unicode_is_refused(value: Any) -> None:
    for kind in ("parameter", "hyperparameter"):
        with pytest.raises(ConfigError, match=f"The {kind} 'x' is .* not valid Unicode"):
            check_parameters(kind, {"x": value})


def test_null_character_is_no_part_of_an_argument() -> None:
    assert check_parameters("parameter", {"x": "a\0b"}) == {"x": "a\0b"}
    with pytest.raises(ConfigError, match="null character"):
        check_parameters("hyperparameter", {"x": "a\0b"})


@given(one=SCALARS, other=SCALARS)
def test_values_are_the_same_as_python_compares_them_except_for_truth_values(
    one: ParameterValue, other: ParameterValue
) -> None:
    assert same_value(one, one)
    assert same_value(one, other) == (one == other and isinstance(one, bool) == isinstance(other, bool))
