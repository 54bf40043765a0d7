"""Records as JSON values, and as the cells of a CSV file."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

__all__ = ["to_cell", "to_json"]


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
    """Convert a value to the cell of a CSV file; lists, objects and booleans are written as JSON."""
    value = to_json(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value
