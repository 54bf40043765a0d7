"""Tables for people: what fits a terminal, and what does not."""

import io
import re
from datetime import UTC, datetime
from typing import cast

import pytest
from rich.console import Console

from mnist_tracking import Workspace
from mnist_tracking._values.records import Metric
from mnist_tracking.cli.output import Page, Seconds, shown
from mnist_tracking.cli.trials import trial_row
from mnist_tracking.reading.trial import Trial

ROWS: list[dict[str, object]] = [
    {"trial": "digits-20261124-171947-156929", "status": "Completed", "validation:accuracy": 0.987654321, "lr": 0.1},
    {"trial": "digits-20261124-171948-580cd0", "status": "Failed", "validation:accuracy": None, "lr": "x"},
]


def written(*, width: int, keep: int = 1) -> list[str]:
    """Return the lines of a terminal, without its colours."""
    file = io.StringIO()
    Page(Console(file=file, force_terminal=True, width=width)).table(ROWS, keep=keep)
    return [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", file.getvalue()).splitlines()]


def test_headings_are_broken_where_that_saves_room() -> None:
    assert written(width=80) == [
        "                                          validation:",
        "trial                          status        accuracy  lr",
        "──────────────────────────────────────────────────────────",
        "digits-20261124-171947-156929  Completed     0.987654  0.1",
        "digits-20261124-171948-580cd0  Failed                  x",
    ]


def test_columns_without_room_are_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(width=45)

    assert lines[0].split() == ["trial", "status"]
    assert all(len(line) <= 45 for line in lines)
    assert "No room for: validation:accuracy, lr." in capsys.readouterr().err


def test_columns_that_are_kept_are_folded() -> None:
    lines = written(width=30, keep=2)

    assert lines[0].split() == ["trial", "status"]
    assert all(len(line) <= 30 for line in lines)
    assert "Completed" in "".join(line[-9:] for line in lines)


def test_a_column_without_values_is_left_out() -> None:
    file = io.StringIO()
    Page(Console(file=file)).table([{"a": 1, "b": None}, {"a": 2, "b": ""}])

    assert file.getvalue() == "a\n1\n2\n"


def test_facts_are_aligned_and_brackets_are_no_markup() -> None:
    file = io.StringIO()
    Page(Console(file=file)).facts([("status", "[red]Failed"), ("reason", None), ("why", "x" * 200)])

    assert file.getvalue() == f"status  [red]Failed\nwhy     {'x' * 200}\n"


def test_a_hyperparameter_that_is_called_as_a_heading_is_told_apart() -> None:
    metric = Metric("rank", 0.5, 0.5, 0.5, 0.5, 0.0, 1)
    trial = Trial(
        *("low", "lora", "Completed", "", {"rank": 8, "loss": 1}, {"rank": metric, "loss": metric}, "", "", None, None),
        created=datetime(2026, 11, 24, tzinfo=UTC),
        duration_s=1.0,
        account=cast("Workspace", None),
    )
    row = trial_row(trial, ["rank", "loss"], ["rank", "loss"])

    assert [str(row[name]) for name in ("param.rank", "metric.rank", "loss", "metric.loss")] == ["8", "0.5", "1", "0.5"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Seconds(0.44), "0.4 s"),
        (Seconds(80), "1 min 20 s"),
        (Seconds(3599.9), "1 h 0 min"),
        (Seconds(None), ""),
        (1 / 3, "0.333333"),
        (float("nan"), "nan"),
        (True, "true"),
        ({"a": 1.0}, "a=1"),
    ],
)
def test_a_value_is_shown_as_one_reads_it(value: object, text: str) -> None:
    assert shown(value) == text
