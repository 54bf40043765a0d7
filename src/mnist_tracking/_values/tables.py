"""Tables: rows under typed columns, and the one place that turns them into data frames and files."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from mnist_tracking._values.checks import check_path
from mnist_tracking._values.exact import is_inexact
from mnist_tracking._values.files import atomic_path
from mnist_tracking._values.json import to_cell, to_json
from mnist_tracking._values.recordable import as_text
from mnist_tracking._values.text import markdown_table
from mnist_tracking.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Kind", "Table", "Tabular", "csv_line"]

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

    def cells(self) -> Iterator[list[object]]:
        """Yield the cells of a CSV file: the names of the columns, then each row, where parameters show their types."""
        yield list(self.columns)
        for row in self.rows:
            yield [
                to_cell(as_text(row[name]) if kind == "value" and name in row else row.get(name))  # type: ignore[arg-type]
                for name, kind in self.columns.items()
            ]


class Tabular:
    """What can be written to files as a table."""

    __slots__ = ()

    def _table(self) -> Table:
        """Return the whole table."""
        raise NotImplementedError

    def _shown(self) -> "pd.DataFrame":
        """Return what is shown to people."""
        return self._table().dataframe()

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """
        Write the table as a CSV file in UTF-8, and return its path.

        A parameter is written so that its type shows: the string ``"2"`` is in quotes, and True is ``true``. Missing
        values are empty. A string that a spreadsheet would run as a formula gets an apostrophe in front. An existing
        file is replaced only when all of it is written.

        Raises:
            ConfigError: If the file cannot be written.
        """
        with _replaced(path) as (target, draft), draft.open("w", encoding="utf-8", newline="") as file:
            file.writelines(map(csv_line, self._table().cells()))
        return target

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """
        Write the table as a Parquet file, with the types of `dataframe`, and return its path.

        A column whose values have several types is written as strings that show them. An existing file is replaced only
        when all of it is written.

        Raises:
            MissingDependencyError: If pyarrow is not installed; the message has the command.
            ConfigError: If the file cannot be written.
        """
        try:
            import pyarrow  # noqa: F401 - pandas needs it
        except ImportError as error:
            raise MissingDependencyError("pyarrow", "parquet") from error
        frame = self._table().dataframe()
        for name in frame.select_dtypes(object).columns:
            frame[name] = frame[name].map(_text, na_action="ignore").astype("string")
        with _replaced(path) as (target, draft):
            frame.to_parquet(draft, engine="pyarrow", index=False)
        return target

    def to_markdown(self) -> str:
        """Return what is shown to people as a table in Markdown, such as for a pull request."""
        return markdown_table(self._shown())


def csv_line(cells: Iterable[object]) -> str:
    """Return a line of a CSV file; both kinds of line ends are quoted in it."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


@contextmanager
def _replaced(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path]]:
    """Yield the path of a file and that of a draft, which takes its place when the block ends."""
    target = check_path("path", path)
    try:
        with atomic_path(target) as draft:
            yield target, draft
    except OSError as error:
        raise ConfigError(f"{str(target)!r} cannot be written: {error}.") from error


def _text(value: object) -> str:
    return as_text(to_json(value))


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
