"""Tables: rows under typed columns, and the one place that turns them into data frames."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs

from mnist_tracking._values.exact import is_inexact

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Kind", "Table"]

Kind = Literal["string", "integer", "number", "boolean", "time", "value", "object"]
"""What a column holds. A *value* is a recorded parameter: it may be None, and its type may differ from row to row."""

_DTYPES = {
    "integer": "Int64",
    "boolean": "boolean",
    "string": "string",
    "number": "float64",
    "time": "datetime64[us, UTC]",
}
_MOST_INT64 = 2**63


@attrs.frozen
class Table:
    """
    Rows under typed columns.

    Attributes:
        columns: What each column holds, by name, in order.
        rows: Values by column. A column that a row lacks is missing there.
    """

    columns: Mapping[str, Kind]
    rows: Sequence[Mapping[str, object]]

    def dataframe(self) -> "pd.DataFrame":
        """
        Return the table as a frame.

        Strings have the type ``string``, integers ``Int64``, truth values ``boolean``, other numbers ``float64``, and
        times ``datetime64[us, UTC]``, even without rows. A column of parameters has the common type of its values. It
        is ``float64`` for floats and integers together, and ``object`` for other mixtures, for integers that the common
        type would change, and if one of the values is None, which is then None. Missing values are those of pandas.
        """
        import pandas as pd

        columns = [_column([row.get(name, pd.NA) for row in self.rows], kind) for name, kind in self.columns.items()]
        frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(len(self.rows)))
        frame.columns = pd.Index(list(self.columns), dtype=object)
        return frame


def _column(values: list[object], kind: Kind) -> "pd.Series[Any]":
    import pandas as pd

    dtype = _DTYPES.get(_kind_of(values) if kind == "value" else kind)
    if dtype is None:
        return pd.Series(values, dtype=object)
    missing = float("nan") if dtype == "float64" else pd.NaT if kind == "time" else pd.NA
    return pd.Series([missing if value is None or value is pd.NA else value for value in values], dtype=dtype)


def _kind_of(values: Sequence[object]) -> Kind:
    """Return what all values of a parameter are."""
    import pandas as pd

    there = [value for value in values if value is not pd.NA]
    kinds = {type(value) for value in there}
    if kinds == {str}:
        return "string"
    if kinds == {bool}:
        return "boolean"
    if kinds == {int} and all(-_MOST_INT64 <= value < _MOST_INT64 for value in there):  # type: ignore[operator]
        return "integer"
    if kinds == {float} or (kinds == {int, float} and all(map(_is_exact, there))):
        return "number"
    return "object"


def _is_exact(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not is_inexact(value))
