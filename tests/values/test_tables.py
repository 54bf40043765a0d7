"""Rows become frames whose columns have types, also without rows."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from mnist_tracking._values.tables import Kind, Table

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
