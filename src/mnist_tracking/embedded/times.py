"""Times: seconds since the epoch in the store, timezone-aware UTC datetimes in responses."""

from datetime import UTC, datetime
from typing import cast

from botocore.utils import parse_to_aware_datetime


def as_datetime(seconds: float) -> datetime:
    """Convert stored seconds into the datetime of a response."""
    return datetime.fromtimestamp(seconds, UTC)


def as_seconds(moment: datetime | float | str) -> float:
    """Convert a timestamp in any form that botocore accepts into seconds."""
    if isinstance(moment, (int, float)):
        return float(moment)
    return float(parse_to_aware_datetime(cast("str", moment)).timestamp())


def read_iso(text: str) -> float:
    """
    Convert ISO 8601, as Search accepts it, into seconds; UTC unless it has an offset.

    Raises:
        ValueError: If it is not a time in ISO 8601.
    """
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
