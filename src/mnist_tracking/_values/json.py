"""Records as JSON values, and as the cells of a CSV file."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

__all__ = ["to_cell", "to_json"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_json(value: object) -> Any:
    """
    Convert records, times and NumPy values to JSON values: a record becomes an object of its public attributes.

    Times become ISO 8601 in UTC. NaN and infinity become null, and so does the last value of a metric that ends so.
    """
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value)) if not field.name.startswith("_")]  # type: ignore[arg-type]
        record = {name: to_json(getattr(value, name)) for name in names}
        for name, last in getattr(value, "last_values", {}).items():
            if isinstance(last, str) and name in record["metrics"]:
                record["metrics"][name]["last"] = None
        return record
    match value:
        case Mapping():
            return {str(name): to_json(item) for name, item in value.items()}
        case list() | tuple():
            return [to_json(item) for item in value]
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case float() if not math.isfinite(value):
            return None
    return to_json(value.tolist()) if hasattr(value, "tolist") else value


def to_cell(value: object) -> object:
    """
    Convert a value to the cell of a CSV file; lists, objects and booleans are written as JSON.

    A string that a spreadsheet would run as a formula gets an apostrophe in front, since names and messages may come
    from others: https://owasp.org/www-community/attacks/CSV_Injection.

    Example:
        >>> to_cell([1, 2]), to_cell("=HYPERLINK(A1)"), to_cell("-inf"), to_cell(-1.5)
        ('[1, 2]', "'=HYPERLINK(A1)", '-inf', -1.5)
    """
    value = to_json(value)
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
