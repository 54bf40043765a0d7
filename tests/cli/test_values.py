"""What is typed: values, pairs, grids, times and conditions."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from mnist_tracking._values.json import to_json
from mnist_tracking._values.where import Condition, Filter, metric, param, tag
from mnist_tracking.cli.filters import _METRIC as METRIC
from mnist_tracking.cli.filters import _PARAMETER as PARAMETER
from mnist_tracking.cli.filters import _TAG as TAG
from mnist_tracking.cli.options import Settings
from mnist_tracking.cli.output import write_csv
from mnist_tracking.cli.values import GRID, MOMENT, PAIR, VALUE_PAIR, pairs, parse_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("0.1", 0.1),
        ("true", True),
        ("null", None),
        ("True", "True"),
        ("NaN", "NaN"),
        ("[1, [true]]", [1, [True]]),
        ('{"a": 1}', {"a": 1}),
        ("[1", "[1"),
        ("", ""),
    ],
)
def test_a_value_is_a_number_a_truth_or_a_text(text: str, value: object) -> None:
    found = parse_scalar(text)

    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("lr=0.1,0.01", ("lr", [0.1, 0.01])),
        ("optimizer=sgd, adam", ("optimizer", ["sgd", "adam"])),
        ('layers=["64,64", "128"]', ("layers", ["64,64", "128"])),
        ("one=1", ("one", [1])),
    ],
)
def test_a_grid_is_a_list_of_values(text: str, pair: tuple[str, list[object]]) -> None:
    assert GRID.convert(text, None, None) == pair


@pytest.mark.parametrize("kind", [VALUE_PAIR, GRID])
def test_name_with_hyphens_is_rejected_with_what_to_write(kind: Any) -> None:
    """Scripts have ``--lr``; a hyperparameter of that name would become ``----lr``."""
    with pytest.raises(click.BadParameter, match=r"'--lr=0.1'; write it without hyphens: 'lr=0.1'"):
        kind.convert("--lr=0.1", None, None)


@pytest.mark.parametrize("kind", [PAIR, VALUE_PAIR, GRID])
def test_a_pair_without_a_name_or_a_value_is_refused_with_an_example(kind: Any) -> None:
    for text in ("lr", "=0.1"):
        with pytest.raises(click.BadParameter, match="expected a name and a value, such as"):
            kind.convert(text, None, None)


def test_a_name_that_is_given_twice_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="'lr' is given twice"):
        pairs((("lr", 1), ("lr", 2)), "--param")


def test_a_time_is_a_date_or_how_long_ago() -> None:
    begun = datetime.now(UTC)
    ago = MOMENT.convert("2h", None, None)

    assert MOMENT.convert("2026-11-24T13:30Z", None, None) == datetime(2026, 11, 24, 13, 30, tzinfo=UTC)
    assert MOMENT.convert("2026-11-24", None, None) == datetime(2026, 11, 24).astimezone()  # local time
    assert begun <= ago + timedelta(hours=2) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("kind", "text", "condition"),
    [
        (METRIC, "test:accuracy>0.97", metric("test:accuracy") > 0.97),
        (METRIC, "loss.min <= 1e-3", metric("loss", "min") <= 1e-3),
        (METRIC, "loss", metric("loss").exists()),
        (PARAMETER, "optimizer=sgd", param("optimizer") == "sgd"),
        (PARAMETER, "optimizer == sgd", param("optimizer") == "sgd"),
        (PARAMETER, "epochs!=2", param("epochs") != 2),
        (PARAMETER, 'epochs="2"', param("epochs") == "2"),
        (PARAMETER, "note~a=b", param("note").contains("a=b")),
        (TAG, "year=2026", tag("year") == "2026"),
    ],
)
def test_a_condition_is_a_filter(kind: Any, text: str, condition: Filter) -> None:
    assert kind.convert(text, None, None) == condition


def test_records_become_what_json_has() -> None:
    told = to_json(
        {"array": np.arange(2), "nan": float("nan"), "condition": Condition("a", "Exists"), "one": np.int64(1)}
    )

    assert json.loads(json.dumps(told)) == {
        "array": [0, 1],
        "nan": None,
        "condition": {"name": "a", "operator": "Exists", "value": None},
        "one": 1,
    }


def test_csv_has_the_columns_of_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    write_csv([{"a": 1}, {"a": True, "b": {"c": 2}}])

    assert capsys.readouterr().out == 'a,b\n1,\ntrue,"{""c"": 2}"\n'


def test_a_command_to_copy_has_the_options_that_say_where() -> None:
    aws = Settings(backend="aws", home=Path("x"), profile="work", applied={"bucket": "b"})
    embedded = Settings(
        backend="embedded",
        home=Path("a b"),
        applied={"subnets": ("s-1", "s-2"), "network_isolation": False, "tags": {"team": "cv"}},
    )

    assert aws.command("list") == "mnist-tracking --backend aws --profile work --bucket b list"
    assert embedded.command("logs", "x") == (
        "mnist-tracking --home 'a b' --subnet s-1 --subnet s-2 --no-network-isolation --tag team=cv logs x"
    )
