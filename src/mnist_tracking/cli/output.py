"""What a command answers: a page to read, JSON, or CSV. It goes to standard output; nothing else does."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import click

from mnist_tracking._values.json import to_cell, to_json

__all__ = ["Form", "format_option", "to_json", "write_csv", "write_json", "write_record"]

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


def write_json(value: object) -> None:
    """Write one JSON document."""
    click.echo(json.dumps(to_json(value), indent=2, ensure_ascii=False))


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
    writer.writerows({name: to_cell(value) for name, value in row.items()} for row in listed)
