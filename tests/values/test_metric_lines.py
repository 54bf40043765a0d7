"""The search of a log for metrics: what counts as a value, what is dropped and why, and that it always ends."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking._values.metric_lines import NOTE, LogSearch, compile_regex, last_redraw
from mnist_tracking._values.recordable import metric_regex

ENDLESS = "^(?:a|a)*$|loss=(.*)"  # exponential in the length of a line of many a and one b
BAD_LINE = "a" * 60 + "b"


def searched(regex: str, *lines: str) -> LogSearch:
    """A search that has seen some lines."""
    search = LogSearch({"loss": regex})
    for line in lines:
        list(search.find(line))
    return search


def values(regex: str, *lines: str) -> list[float]:
    search = LogSearch({"loss": regex})
    return [found.value for line in lines for found in search.find(line)]


@pytest.mark.parametrize(
    ("regex", "line", "expected"),
    [
        ("loss=(.*?);", "loss=1; loss=2;", [1.0]),
        ("loss=(.*?);", "loss=1e-3;", [0.001]),
        ("loss=(.*?);", "loss= 1 ;", [1.0]),
        ("loss=(.*?);", "loss=1_000;", []),
        ("loss=(.*?);", "loss: 1;", []),
        ("loss=(.*?);", "loss=low;", []),
        ("loss=(.*?);", "loss=nan;", []),
        ("loss=(.*?);", "loss=-inf;", []),
        ("loss=(.*?);", "loss=;", []),
        ("loss=(a)?", "loss=1", []),
        ("(loss)=(.*)", "loss=1", []),
        ("loss=(.*)", "\rloss=1\rloss=2\r", [1.0, 2.0]),
        (r"(\d+)%", "#015  0%|   | 0/250#015 61%|## | 153/250#015100%|###| 250/250", [0.0, 61.0, 100.0]),  # SageMaker's
        ("loss{e}=(.*)", "loss{e}=1", [1.0]),  # an approximate match in the module regex, plain text in re
        (r"loss\{e}=(.*)", "loss{e}=1", [1.0]),
        (r"loss={1,2}(.*)", "loss==1", [1.0]),
    ],
)
def test_the_first_group_of_the_first_match_in_each_redraw_counts_if_it_is_a_number(
    regex: str, line: str, expected: list[float]
) -> None:
    assert values(regex, line) == expected


def test_step_is_read_where_log_metric_prints_it() -> None:
    (found,) = LogSearch({"loss": metric_regex("loss")}).find('metric "loss"=0.5 step=3;')

    assert (found.value, found.step) == (0.5, 3)


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (["loss=0.4;", "loss=nan;", "loss=nan;"], "nan"),
        (["loss=-inf;"], "-inf"),
        (["loss=nan;", "loss=0.4;"], ""),
        (["loss=nan;", "loss=low;"], "nan"),
        (["loss=0.4;", "win=nan;"], ""),
    ],
)
def test_series_ends_with_its_last_number(lines: list[str], last: str) -> None:
    assert searched("loss=(.*?);", *lines).non_finite == ({"loss": last} if last else {})


def test_the_last_number_is_the_latest_of_all_hosts() -> None:
    """Whose lines are read one host after the other."""
    search = LogSearch({"loss": "loss=(.*)"})
    for line, when in (("loss=0.5", 1.0), ("loss=0.4", 3.0), ("loss=nan", 2.0)):
        list(search.find(line, when))

    assert search.non_finite == {}


def test_what_log_metric_prints_of_nan_is_known_to_the_reader_and_not_sent_to_the_service() -> None:
    search = searched(metric_regex("loss"), 'metric "loss"=0.5;', 'metric "loss"=nan step=3;')

    assert search.non_finite == {"loss": "nan"}
    assert re.search(metric_regex("loss"), 'metric "loss"=nan step=3;') is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["loss=0.4;"], {}),
        (["win=0.4;"], {}),
        (
            ["loss=0.4;", "loss=nan;", "loss=inf;", "loss=70%;", "loss=tensor(0.25);", "loss=1,234.5;", "loss=9%;"],
            "6 of 7 values of the metric 'loss' were dropped: 2 not finite (nan, inf), "
            "4 not a number ('70%', 'tensor(0.25)', '1,234.5').",
        ),
        (["loss=nan;"], "1 of 1 value of the metric 'loss' was dropped: 1 not finite (nan)."),
    ],
)
def test_what_was_dropped_is_said_with_the_reason(lines: list[str], said: str | dict[str, str]) -> None:
    assert searched("loss=(.*?);", *lines).dropped == ({"loss": said} if said else {})


@pytest.mark.parametrize(
    ("regex", "line", "whole"),
    [
        (r"'loss': ([0-9\.]+)", "{'loss': 1.5e-05, 'epoch': 1}", "'1.5' of '1.5e-05'"),
        (r"loss=(\d+)", "loss=12.5;", "'12' of '12.5'"),
        (r"loss=([\d.]+)", "loss=1,234.5;", "'1' of '1,234.5'"),
        (r"loss=(.)", "loss=12", "'1' of '12'"),
    ],
)
def test_number_that_continues_behind_its_group_is_recorded_as_the_service_does_and_said(
    regex: str, line: str, whole: str
) -> None:
    search = LogSearch({"loss": regex})

    assert len(list(search.find(line))) == 1
    assert search.dropped["loss"].endswith(f"captures only a part of the number in 1 line ({whole}).")


@pytest.mark.parametrize("line", ["loss=1.", "loss=1 2", "loss=1e", "loss=1, 200", "loss=1,20", "loss=1%", "loss=1]"])
def test_number_that_ends_is_not_said_to_continue(line: str) -> None:
    assert searched(r"loss=(\d+)", line).dropped == {}


def test_number_at_the_end_of_a_line_that_was_cut_is_dropped() -> None:
    """A log event has at most 256 KiB: the rest of the number may be in the next one."""
    long = "x" * (1 << 18)

    assert values(r"loss=(\d+)", f"{long}loss=12") == []
    assert "1 cut off at the end of a line" in searched(r"loss=(\d+)", f"{long}loss=12").dropped["loss"]
    assert values(r"loss=(\d+)", f"{long}loss=12\rloss=13;", "loss=12") == [12.0, 13.0, 12.0]


def test_notes_about_metrics_are_not_searched() -> None:
    assert searched("(dropped)", f"{NOTE}1 of 1 values were dropped.").dropped == {}


def test_good_lines_after_a_slow_one_count() -> None:
    search = LogSearch({"loss": ENDLESS}, first_s=0.01)
    found = [value.value for line in (BAD_LINE, "loss=1", BAD_LINE, "loss=2") for value in search.find(line)]

    assert found == [1.0, 2.0]
    assert search.dropped["loss"].endswith("took too long for 2 lines, not searched to the end.")


def test_many_slow_lines_take_time_in_proportion_to_their_number() -> None:
    """Not a second each, as the first one may."""
    search, began = LogSearch({"loss": ENDLESS}, first_s=0.02), time.thread_time()
    for _ in range(100):
        list(search.find(BAD_LINE))

    assert time.thread_time() - began < 1.0
    assert "100 lines" in search.dropped["loss"]


def test_expression_that_python_does_not_compile_is_said() -> None:
    """A job of another tool may have one."""
    assert "does not compile in Python" in searched("loss=(", "loss=1").dropped["loss"]


_TOKENS = st.sampled_from(
    ["loss", "acc", r"\d", r"\w", r"\s", r"\S", ".", "[0-9.]", "[^;]", "%", ";", "=", ": ", r"\.", "'", "{", "}", "-"]
)
_PIECES = st.builds(lambda token, many: token + many, _TOKENS, st.sampled_from(["", "", "*", "+", "?", "*?", "+?"]))
_REGEXES = st.builds(
    lambda before, inside, after: f"{''.join(before)}({''.join(inside)}){''.join(after)}",
    st.lists(_PIECES, max_size=3),
    st.lists(_PIECES, min_size=1, max_size=2),
    st.lists(_PIECES, max_size=2),
)
_LINES = st.lists(
    st.sampled_from(["loss", "acc", "=", ": ", "0.25", "1e-05", "12", "nan", "%", ";", " ", "-", "{", "}", "é", "'"]),
    max_size=9,
).map("".join)


@given(_REGEXES, _LINES)
def test_search_agrees_with_the_standard_library(expression: str, line: str) -> None:
    """On expressions of the kind that people write; ``{`` is plain text where it is in ``re``."""
    expected, found = re.compile(expression).search(line), compile_regex(expression).search(line)

    assert (found and found.span(1)) == (expected and expected.span(1))


@pytest.mark.parametrize(
    ("line", "shown"),
    [("plain", "plain"), ("\r1%\r2%", "2%"), ("1%\r2%\r", "2%"), ("", ""), ("\r", ""), ("#015 1%#015 2%", " 2%")],
)
def test_a_terminal_shows_the_last_redraw(line: str, shown: str) -> None:
    assert last_redraw(line) == shown
