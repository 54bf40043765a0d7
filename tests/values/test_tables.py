"""Rows become frames whose columns have types, also without rows."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mnist_tracking import ConfigError
from mnist_tracking._values.tables import Kind, Table, Tabular
from mnist_tracking._values.text import markdown_table
from mnist_tracking.errors import MissingDependencyError

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "values", "dtype"),
    [
        ("string", ["a", None], "string"),
        ("integer", [1, None], "Int64"),
        ("number", [1, 0.5, None], "float64"),
        ("boolean", [True, None], "boolean"),
        ("time", [NOON, None], "datetime64[us, UTC]"),
        ("object", [{}, None], "object"),
        ("value", ["", "a"], "string"),
        ("value", [1, 2**62 + 1], "Int64"),
        ("value", [2.0, 0.5], "float64"),
        ("value", [2, 0.5], "float64"),
        ("value", [2**60 + 1, 0.5], "object"),
        ("value", [2**63, 1], "object"),
        ("value", [True, False], "boolean"),
        ("value", [True, 1], "object"),
        ("value", [1, None], "object"),
        ("value", [1, "1"], "object"),
    ],
)
def test_a_column_has_the_type_of_its_values(kind: Kind, values: list[Any], dtype: str) -> None:
    frame = Table({"x": kind}, [{"x": value} for value in values] + [{}]).dataframe()

    assert str(frame["x"].dtype) == dtype
    assert frame["x"].isna().tolist() == [value is None for value in values] + [True]
    if kind in ("value", "object"):
        assert frame["x"].tolist()[:-1] == values
        assert [type(value) for value in frame["x"].tolist()[:-1]] == [
            float if dtype == "float64" else type(value) for value in values
        ]


def test_none_differs_from_what_is_missing() -> None:
    frame = Table({"patience": "value"}, [{"patience": None}, {}]).dataframe()

    assert frame["patience"].tolist() == [None, pd.NA]


def test_a_table_without_rows_has_its_types() -> None:
    frame = Table({"trial": "string", "created": "time", "count": "integer", "param.x": "value"}, []).dataframe()

    assert frame.dtypes.astype(str).to_dict() == {
        "trial": "string",
        "created": "datetime64[us, UTC]",
        "count": "Int64",
        "param.x": "object",
    }
    assert len(Table({}, []).dataframe().columns) == 0


def test_a_frame_has_a_column_for_each_name_in_order() -> None:
    frame = Table({"b": "value", "a": "string"}, [{"a": "x", "other": 1}]).dataframe()

    assert list(frame.columns) == ["b", "a"]
    assert list(frame.index) == [0]


MIXED = Table(
    {"trial": "string", "x": "value", "created": "time", "n": "integer"},
    [
        {"trial": "=1+1", "x": "2", "created": NOON, "n": 1},
        {"trial": "a\nb", "x": 2, "created": None, "n": None},
        {"trial": "-c", "x": [1, "a"], "n": 2},
        {"trial": "d", "x": None},
        {"trial": "e"},
    ],
)


class Mixed(Tabular):
    def _table(self) -> Table:
        return MIXED


def test_a_csv_file_shows_the_types_of_parameters_and_runs_no_formula(tmp_path: Path) -> None:
    path = Mixed().to_csv(tmp_path / "new" / "trials.csv")

    assert path == tmp_path / "new" / "trials.csv"
    assert path.read_bytes().decode() == (
        "trial,x,created,n\n"
        '\'=1+1,"""2""",2026-11-29T12:00:00.000Z,1\n'
        '"a\nb",2,,\n'
        '\'-c,"[1, ""a""]",,2\n'
        "d,null,,\n"
        "e,,,\n"
    )


def test_a_parquet_file_has_the_types_of_the_frame(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    found = pd.read_parquet(Mixed().to_parquet(tmp_path / "trials.parquet"))

    assert found["trial"].tolist() == ["=1+1", "a\nb", "-c", "d", "e"]
    assert found["x"].tolist()[:3] == ['"2"', "2", '[1, "a"]']
    assert found["x"].isna().tolist() == [False, False, False, True, True]
    assert found["n"].tolist() == [1, pd.NA, 2, pd.NA, pd.NA]
    assert str(found["created"].dtype) == "datetime64[us, UTC]"


def test_a_missing_pyarrow_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(MissingDependencyError, match=r"pyarrow is not installed\. Run: pip install pyarrow"):
        Mixed().to_parquet(tmp_path / "trials.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [Tabular.to_csv, Tabular.to_parquet])
def test_a_file_that_cannot_be_written_leaves_what_was_there(
    write: Callable[[Tabular, Path], Path], tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")

    for path in (tmp_path / "folder", tmp_path / "file" / "trials"):
        with pytest.raises(ConfigError, match="cannot be written"):
            write(Mixed(), path)
    with pytest.raises(ConfigError, match="expected the path of a file"):
        write(Mixed(), "")  # type: ignore[arg-type]
    assert (tmp_path / "file").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


def test_markdown_shows_each_row_in_one_line() -> None:
    lines = Mixed().to_markdown().splitlines()

    assert lines[0] == "| trial | x | created | n |"
    assert lines[3] == "| a<br>b | 2 |  |  |"
    assert len(lines) == 7


def test_markdown_moves_no_cursor_and_reorders_nothing() -> None:
    frame = pd.DataFrame({"name": ["\x1b[31mred\x1b[0m \x07 \u202egnp"]})

    assert markdown_table(frame).splitlines()[2] == "| red \ufffd \ufffdgnp |"
