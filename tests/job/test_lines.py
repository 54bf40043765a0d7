"""What a training script prints, and that SageMaker finds it there."""

import math
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnist_tracking import ConfigError
from mnist_tracking.job import log_metric, log_metrics, log_parameter, log_parameters, metric_regex

NAMES = st.text(min_size=1, max_size=40).filter(lambda name: name.splitlines() == [name])


def printed(name: str, value: float, step: int | None, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the line that one value makes."""
    log_metric(name, value, step=step)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    return line.rstrip("\n")


@given(name=NAMES, value=st.floats(allow_nan=False, allow_infinity=False), step=st.none() | st.integers(0, 2**40))
def test_every_finite_value_comes_back_from_its_line(name: str, value: float, step: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch, capturing(patch) as lines:
        log_metric(name, value, step=step)

    found = [match.group(1) for match in re.finditer(metric_regex(name), "".join(lines))]
    assert [float(text) for text in found] == [value]


@given(names=st.lists(NAMES, min_size=2, max_size=2, unique=True))
@example(names=["loss", "train:loss"])
@example(names=["loss", "loss:total"])
@example(names=["a", 'a"=1.0;metric "a'])
@example(names=["a.b", "a+b"])
@example(names=["a", "\\a"])
def test_a_name_finds_its_own_values_only(names: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, capturing(patch) as lines:
        log_metric(names[0], 1.0)

    assert re.search(metric_regex(names[0]), lines[0])
    assert not re.search(metric_regex(names[1]), lines[0])


class capturing:  # noqa: N801 - reads as the context manager it is
    """Take what is written to standard output; capsys lives longer than one example of hypothesis."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch, self._lines = patch, list[str]()

    def __enter__(self) -> list[str]:
        stream = SimpleNamespace(write=self._lines.append, flush=lambda: None)
        self._patch.setattr(sys, "stdout", stream)
        return self._lines

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("value", "shown"),
    [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (10**400, "inf"), (-(10**400), "-inf")],
)
def test_a_value_that_is_not_finite_is_printed_and_not_found(
    value: float, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither is an integer beyond the range of floats."""
    log_metric("loss", value)
    log_metric("loss", value)

    said = capsys.readouterr()
    assert said.out.splitlines() == [f'metric "loss"={shown};'] * 2
    assert not re.search(metric_regex("loss"), said.out)
    assert said.err.count("finite numbers only") == 1


@pytest.mark.parametrize("value", [1, True, np.float64(1), np.int8(1), np.array([1.0]), Fraction(1)])
def test_a_metric_is_whatever_is_a_number(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("x", value, None, capsys) == 'metric "x"=1.0;'


@pytest.mark.parametrize("value", ["high", None, [1.0, 2.0], np.zeros(2)])
def test_a_metric_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"'x' is .*, not a number"):
        log_metric("x", value)


@pytest.mark.parametrize("step", [-1, 1.5, "one", True])
def test_a_step_that_is_no_whole_number_is_refused(step: Any) -> None:
    with pytest.raises(ConfigError, match="expected an integer >= 0"):
        log_metric("x", 1.0, step=step)


def test_several_metrics_are_all_checked_before_one_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    wrong: Any = {"loss": 0.5, "score": "high"}
    with pytest.raises(ConfigError, match="'score' is 'high'"):
        log_metrics(wrong)
    with pytest.raises(ConfigError, match="expected a mapping"):
        log_metrics(wrong.items())
    with pytest.raises(ConfigError, match="expected an integer >= 0"):
        log_metrics({"loss": 0.5}, step=-1)
    assert capsys.readouterr().out == ""

    log_metrics({"loss": 0.5, "score": 2}, step=3)
    assert capsys.readouterr().out == 'metric "loss"=0.5 step=3;\nmetric "score"=2.0 step=3;\n'


@pytest.mark.parametrize(
    ("value", "shown"), [(np.bool_(True), "true"), (np.float32(0.5), "0.5"), (np.int64(3), "3"), (np.str_("a"), '"a"')]
)
def test_numpy_values_are_parameters(value: object, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    log_parameter("x", value)

    assert capsys.readouterr().out == f'parameter "x"={shown};\n'


@pytest.mark.parametrize(("value", "shown"), [([1], "[1]"), ({"a": 1}, '{"a": 1}'), (Path("a"), '"a"')])
def test_lists_mappings_and_paths_are_parameters(value: object, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    log_parameter("x", value)

    assert capsys.readouterr().out == f'parameter "x"={shown};\n'


@pytest.mark.parametrize("value", [[object()], {1, 2}, np.zeros(2)])
def test_a_parameter_of_another_type_is_refused_and_none_is_recorded(
    value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="'x' is"):
        log_parameters({"good": 1, "x": value})

    assert capsys.readouterr().out == ""


TALKS = """
import os, threading
from mnist_tracking.job import log_metric
os.fork()
def talk():
    for step in range(200):
        log_metric("loss", 0.5, step=step)
threads = [threading.Thread(target=talk) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_lines_of_threads_and_processes_do_not_mix() -> None:
    """Two processes of eight threads write to one pipe, unbuffered as in a job."""
    done = subprocess.run([sys.executable, "-u", "-c", TALKS], stdout=subprocess.PIPE, text=True, check=True)
    lines = done.stdout.splitlines()

    assert len(lines) == 2 * 8 * 200
    assert all(re.fullmatch(metric_regex("loss"), line) for line in lines)
