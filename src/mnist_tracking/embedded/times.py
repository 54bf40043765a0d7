"""Times: seconds since the epoch in the store, aware UTC datetimes in responses."""

from datetime import UTC, datetime
from typing import cast

from botocore.utils import parse_to_aware_datetime


def as_datetime(seconds: float) -> datetime:
    """Convert stored seconds into what botocore's responses carry."""
    return datetime.fromtimestamp(seconds, UTC)


def as_seconds(moment: datetime | float | str) -> float:
    """Convert what a caller may give botocore for a timestamp into seconds, reading it as botocore does."""
    if isinstance(moment, (int, float)):
        return float(moment)
    return float(parse_to_aware_datetime(cast("str", moment)).timestamp())


def read_iso(text: str) -> float:
    """
    Convert ISO 8601, as Search takes it, into seconds; without an offset it is UTC.

    Raises:
        ValueError: If it is no such time.
    """
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
