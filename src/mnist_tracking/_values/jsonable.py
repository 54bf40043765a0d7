"""Records as what JSON and CSV have, for whoever writes them."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

__all__ = ["cell", "plain"]


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


def cell(value: object) -> object:
    """Return what stands in a cell of a CSV table: lists, objects and booleans as JSON says them."""
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value
