"""Names, texts and times that are looked for, checked before anything is sent."""

from datetime import datetime

from mnist_tracking.errors import ConfigError

__all__ = ["require_moment", "require_name", "require_text", "require_zone"]

_ZONED = "datetime(2026, 11, 24, tzinfo=UTC)"
_LONGEST = 1024


def require_name(what: str, value: object) -> str:
    """
    Return the name of *what*, such as ``"an experiment"``.

    Raises:
        ConfigError: If it is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{value!r} cannot be the name of {what}; a text that is not empty is needed.")
    return value


def require_text(label: str, value: object) -> str:
    """
    Return a text to compare a property with.

    Raises:
        ConfigError: If it is none, or Search does not take its length.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST:
        given = f"a text of {len(value)} characters" if isinstance(value, str) else f"{value!r}, which is no text"
        raise ConfigError(f"{label} is compared with {given}; Search takes 1 to {_LONGEST} characters.")
    return value


def require_zone(said: str, moment: datetime) -> datetime:
    """
    Return a time that means the same everywhere; *said* is how it was given, for the message.

    Raises:
        ConfigError: If it has no time zone.
    """
    if moment.utcoffset() is None:
        raise ConfigError(f"{said} has no time zone. Write {_ZONED}, or moment.astimezone() for a local time.")
    return moment


def require_moment(what: str, value: object) -> datetime:
    """
    Return a time.

    Raises:
        ConfigError: If it is none, or has no time zone.
    """
    if not isinstance(value, datetime):
        raise ConfigError(f"{what}={value!r}; a time is needed, such as {_ZONED}.")
    return require_zone(f"{what}={value!r}", value)
