"""Tables that are written row by row."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from mnist_tracking._values.json import to_cell, to_json

__all__ = ["JsonLines", "Table", "write_table"]


class _Writable(Protocol):
    def write(self, text: str, /) -> object:
        """Write a text."""


class Table:
    """A CSV file with a line of headings; `rows` counts what was written."""

    def __init__(self, file: _Writable, columns: Sequence[str]) -> None:
        self._writer = csv.DictWriter(file, columns, lineterminator="\n")
        self._writer.writeheader()
        self.rows = 0

    def add(self, **row: object) -> None:
        """Write a row; columns that it lacks are empty."""
        self.add_all([row])

    def add_all(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Write rows."""
        for row in rows:
            self._writer.writerow({name: to_cell(value) for name, value in row.items()})
            self.rows += 1


class JsonLines:
    """A file with one JSON object in each line; `rows` counts them."""

    def __init__(self, file: _Writable) -> None:
        self._file = file
        self.rows = 0

    def add(self, record: Any) -> None:
        """Write a record, or a mapping."""
        self._file.write(json.dumps(to_json(record), ensure_ascii=False) + "\n")
        self.rows += 1


def write_table(file: _Writable, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows whose columns are those of any row, in the order in which they come; those of a kind together."""
    columns = dict.fromkeys(name for row in rows for name in row)
    kinds = dict.fromkeys(name.split(".")[0] for name in columns)
    Table(file, [name for kind in kinds for name in columns if name.split(".")[0] == kind]).add_all(rows)
