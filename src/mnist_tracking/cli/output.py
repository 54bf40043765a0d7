"""What a command answers: a page to read, JSON, or CSV. It goes to standard output; nothing else does."""

import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import attrs
import click

__all__ = ["Form", "format_option", "plain", "write_csv", "write_json", "write_record"]

Form = Literal["table", "json", "csv"]


def format_option(*forms: Form) -> Callable[[Any], Any]:
    """Return the option ``--format``, given to the command as *form*."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms or ("table", "json", "csv")),
        default="table",
        show_default=True,
        help="Of the answer.",
    )


def plain(value: object) -> Any:
    """
    Return records, times and numpy's numbers as what JSON has: a record is an object of its attributes.

    Times are ISO 8601 in UTC. What is not a number (NaN) or infinite is null.
    """
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value)) if not field.name.startswith("_")]  # type: ignore[arg-type]
        return {name: plain(getattr(value, name)) for name in names}
    match value:
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case float() if not math.isfinite(value):
            return None
    return plain(value.tolist()) if hasattr(value, "tolist") else value


def write_json(value: object) -> None:
    """Write one JSON document."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def write_record(record: Mapping[str, object], form: Form) -> None:
    """Write names and values: as an object, as one row, or as lines, without ``_name`` and ``_uri``."""
    match form:
        case "json":
            write_json(record)
        case "csv":
            write_csv([record])
        case "table":
            from mnist_tracking.cli.page import Page

            Page().facts((key.removesuffix("_name").removesuffix("_uri"), value) for key, value in record.items())


def write_csv(rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows below a line of headings; the columns are those of any row, in the order in which they come."""
    listed = list(rows)
    if not listed:
        return
    columns = list(dict.fromkeys(name for row in listed for name in row))
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in listed)


def _cell(value: object) -> object:
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value
