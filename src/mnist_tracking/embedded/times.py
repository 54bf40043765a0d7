"""Times: seconds since the epoch in the store, aware UTC datetimes in responses."""

from datetime import UTC, datetime


def as_datetime(seconds: float) -> datetime:
    """Convert stored seconds into what botocore's responses carry."""
    return datetime.fromtimestamp(seconds, UTC)


def as_seconds(moment: datetime | float | str) -> float:
    """Convert what a caller may give botocore for a timestamp into seconds."""
    if isinstance(moment, datetime):
        return moment.timestamp()
    if isinstance(moment, (int, float)):
        return float(moment)
    parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
