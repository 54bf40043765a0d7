"""Parameters in tables and CSV files are what was given: their text shows their type, and what is missing is empty."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from mnist_tracking import ExperimentRunner, Workspace

Ask = Callable[..., Result]
GIVEN: dict[str, Any] = {
    "empty": "",
    "exact": 2**60 + 1,
    "half": 0.5,
    "none": None,
    "text": "007",
    "true": True,
    "whole": 2.0,
    "word": "sgd",
}
SHOWN = ['""', "1152921504606846977", "0.5", "null", '"007"', "true", "2.0", "sgd"]


@pytest.fixture(autouse=True)
def _two(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "values")
    with runner.trial(GIVEN, name="one") as trial:
        trial.log_metric("loss", 0.5)
    with runner.trial(name="two"):
        pass


def _rows(text: str) -> dict[str, list[str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return {row["trial"]: [row[f"param.{name}"] for name in GIVEN] for row in rows}


@pytest.mark.parametrize("command", [["search"], ["leaderboard", "values"]])
def test_csv(ask: Ask, command: list[str]) -> None:
    assert _rows(ask(*command, "--format", "csv").stdout) == {"one": SHOWN, "two": [""] * len(SHOWN)}


def test_a_page_and_its_csv(ask: Ask) -> None:
    page = dict(line.split(maxsplit=1) for line in ask("show", "one").stdout.splitlines() if len(line.split()) == 2)
    rows = {
        row["name"]: row["value"] for row in csv.DictReader(io.StringIO(ask("show", "one", "--format", "csv").stdout))
    }

    assert [page[name] for name in GIVEN] == SHOWN
    assert [rows[name] for name in GIVEN] == SHOWN


def test_json(ask: Ask) -> None:
    found = json.loads(ask("show", "one", "--format", "json").stdout)["hyperparameters"]

    assert {name: repr(value) for name, value in found.items()} == {name: repr(value) for name, value in GIVEN.items()}


def test_what_differs(ask: Ask) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("compare", "one", "two", "--format", "csv").stdout)))
    values = {row["name"]: (row["one"], row["two"]) for row in rows if row["kind"] == "parameter"}

    assert [values[name] for name in GIVEN] == [(shown, "") for shown in SHOWN]


def test_a_table(ask: Ask) -> None:
    table = ask("leaderboard", "values", "--objective", "loss").stdout.splitlines()

    assert " ".join(GIVEN) in " ".join(table[0].split())
    assert " ".join(SHOWN) in " ".join(table[1].split())
