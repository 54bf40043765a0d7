"""
Checks of arguments, before anything is sent: paths, names, times, counts, choices, mappings.

Standard library only: this module travels with training jobs.
"""

import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError


def check_path(name: str, path: object) -> Path:
    """
    Return a path that was given as the argument *name*; whether something is there is another question.

    Raises:
        ConfigError: If it is no path, or an empty one, which would be the working directory.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise ConfigError(f"{name}={short_repr(path)}; the path of a file or a folder is needed, such as 'data'.")
    return Path(text)


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


_IN_S3 = re.compile(r"s3://[^/]")


def path_text(name: str, path: object) -> str:
    """Return a path as a text; ConfigError if it is none."""
    return str(check_path(name, path)) if not isinstance(path, str) or not path else path


def path_texts(name: str, paths: object) -> tuple[str, ...]:
    """Return several paths as texts; ConfigError if they are none, or a single one, which is no list."""
    if isinstance(paths, str | os.PathLike) or not isinstance(paths, Iterable):
        raise ConfigError(f"{name}={short_repr(paths)}; a list of paths is needed, such as ['lib'].")
    return tuple(path_text(name, path) for path in paths)


def copied(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a mapping of our own; what is none goes to `check_mappings`, which knows its name."""
    return dict(values) if isinstance(values, Mapping) else values


def check_mappings(**given: Mapping[str, object]) -> None:
    """Make sure that these are mappings of names to values; ConfigError otherwise."""
    for argument, values in given.items():
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise ConfigError(f"{argument}={short_repr(values)}; a mapping of names to values is needed.")


def check_choice(what: str, value: object, possible: tuple[str, ...]) -> None:
    """Make sure that a value is one of those that are possible; ConfigError otherwise."""
    if value not in possible:
        raise ConfigError(f"{what}={short_repr(value)}; possible are {', '.join(map(repr, possible))}.")


def check_count(what: str, value: object) -> None:
    """Make sure that a value is a whole number from 1; ConfigError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{what}={short_repr(value)}; a whole number from 1 is needed.")


def check_text(what: str, value: object, example: str) -> None:
    """Make sure that a value is a text, and not an empty one; ConfigError otherwise."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{what}={short_repr(value)}; a text is needed, such as {example!r}.")


def check_texts(what: str, values: Mapping[str, object]) -> None:
    """Make sure that all values of a mapping are texts; ConfigError otherwise."""
    for name, value in values.items():
        if not isinstance(value, str):
            raise ConfigError(f"{what} has {name!r}: {short_repr(value)}; texts are needed, such as '1'.")


def is_in_s3(uri: object) -> bool:
    """Whether a value is a location in S3, in a bucket."""
    return isinstance(uri, str) and _IN_S3.match(uri) is not None


def check_timeout(timeout_s: object) -> None:
    """
    Check a time-out, before anything is started.

    Raises:
        ConfigError: If it is neither None nor a number of seconds >= 0.
    """
    if isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool) and timeout_s >= 0:
        return
    if timeout_s is not None:
        raise ConfigError(f"timeout_s={timeout_s!r}; expected seconds >= 0, or None to wait forever.")
