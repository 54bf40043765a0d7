"""Generated names, and the names that are proposed."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking import ConfigError
from mnist_tracking._values.names import attempt_name, check_name, digest_of, unique_name
from mnist_tracking._values.recordable import ParameterValue

LONGEST = {"experiment": 120, "trial": 120, "trial component": 120, "training job": 63, "model": 63, "endpoint": 63}


@given(st.text(max_size=150), st.sampled_from(sorted(LONGEST)))
def test_a_generated_name_is_one_that_sagemaker_takes(prefix: str, kind: str) -> None:
    name = unique_name(prefix, kind)

    assert check_name(kind, name) == name
    assert len(name) <= LONGEST[kind]


@given(st.text(max_size=150), st.sampled_from(sorted(LONGEST)))
def test_a_refused_name_comes_with_one_that_would_do(name: str, kind: str) -> None:
    try:
        check_name(kind, name)
    except ConfigError as error:
        proposed = re.findall(r"such as '([^']*)'\.$", str(error))
        assert check_name(kind, proposed[0]) == proposed[0]


@pytest.mark.parametrize(("name", "said"), [(None, "'experiment-1'"), (3, "'3'"), (10**200, "'1000000000")])
def test_a_name_that_is_no_text_is_told_so(name: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"is not a string \({type(name).__name__}\); expected .*, such as {said}"):
        check_name("experiment", name)


@given(
    st.text(st.sampled_from("abcXYZ019-"), min_size=1, max_size=100),
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()),
    st.integers(1, 99),
)
def test_the_trials_of_a_sweep_and_their_jobs_have_names_that_sagemaker_takes(
    sweep: str, hyperparameters: dict[str, ParameterValue], attempt: int
) -> None:
    try:
        check_name("sweep", sweep)
    except ConfigError:
        return
    name = attempt_name(sweep, digest_of("churn", hyperparameters), attempt)

    assert check_name("trial", name) == name
    assert check_name("training job", unique_name(name, "training job"))


def test_names_differ_within_a_second() -> None:
    assert len({unique_name("digits", "trial") for _ in range(100)}) == 100


@pytest.mark.parametrize("more", ["", "-preprocessing"])
def test_a_generated_name_holds_one_time_though_the_experiments_name_has_one(more: str) -> None:
    name = unique_name(unique_name("digits", "experiment") + more, "trial")

    assert re.fullmatch(rf"digits{more}-\d{{6}}-\d{{6}}-[0-9a-z]{{5}}", name)
