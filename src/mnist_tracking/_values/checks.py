"""
Checks of arguments, before anything is sent: paths, names, times, counts, choices, mappings.

Standard library only: this module travels with training jobs.
"""

import math
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeGuard

from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError


def is_instance(value: object, module: str, *classes: str) -> bool:
    """Whether a value is of a class of another library, which only a program that has imported it can have."""
    found = sys.modules.get(module)
    return found is not None and isinstance(value, tuple(getattr(found, name) for name in classes))


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, and not True or False."""
    is_finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return is_finite and not isinstance(value, bool)


def check_path(name: str, path: object) -> Path:
    """
    Return the path given as the argument *name*; it need not exist.

    Raises:
        ConfigError: If it is not a path, or is empty, which would be the working directory.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise ConfigError(f"{name}={short_repr(path)}; expected the path of a file or folder, such as 'data'.")
    return Path(text)


_ZONED = "datetime(2026, 11, 24, tzinfo=UTC)"
_LONGEST = 1024


def require_name(what: str, value: object) -> str:
    """
    Check the name of *what*, such as ``"an experiment"``, and return it.

    Raises:
        ConfigError: If it is not a string, or is empty.
    """
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{value!r} is not the name of {what}; expected a non-empty string.")
    return value


def require_names(argument: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """
    Return one or several names as a tuple.

    Raises:
        ConfigError: If one of them is not a non-empty string.
    """
    names = (value,) if isinstance(value, str) else value
    listed = tuple(names) if isinstance(names, Iterable) and not isinstance(names, Mapping) else None
    if listed is None or not all(isinstance(name, str) and name for name in listed):
        raise ConfigError(f"{argument}={short_repr(value)}; expected a name, or a list of names.")
    return listed


def require_text(label: str, value: object) -> str:
    """
    Check the string that a property is compared with, and return it.

    Raises:
        ConfigError: If it is not a string, or Search does not allow its length.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST:
        given = f"a string of {len(value)} characters" if isinstance(value, str) else f"{value!r}, not a string"
        raise ConfigError(f"{label} is compared with {given}; Search allows 1 to {_LONGEST} characters.")
    return value


def require_zone(given: str, moment: datetime) -> datetime:
    """
    Check that a time has a time zone, and return it; *given* is how it was given, for the message.

    Raises:
        ConfigError: If it has no time zone.
    """
    if moment.utcoffset() is None:
        raise ConfigError(f"{given} has no time zone. Write {_ZONED}, or moment.astimezone() for a local time.")
    return moment


def require_moment(what: str, value: object) -> datetime:
    """
    Check that a value is a time with a time zone, and return it.

    Raises:
        ConfigError: If it is not a time, or has no time zone.
    """
    if not isinstance(value, datetime):
        raise ConfigError(f"{what}={value!r}; expected a time, such as {_ZONED}.")
    return require_zone(f"{what}={value!r}", value)


_IN_S3 = re.compile(r"s3://[^/]")


def path_text(name: str, path: object) -> str:
    """Return a path as a string; ConfigError if it is not a path."""
    return str(check_path(name, path)) if not isinstance(path, str) or not path else path


def path_texts(name: str, paths: object) -> tuple[str, ...]:
    """Return several paths as strings; ConfigError if they are not a list of paths."""
    if isinstance(paths, str | os.PathLike) or not isinstance(paths, Iterable):
        raise ConfigError(f"{name}={short_repr(paths)}; expected a list of paths, such as ['lib'].")
    return tuple(path_text(name, path) for path in paths)


def copied(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a copy of a mapping; anything else unchanged, for `check_mappings` to reject by name."""
    return dict(values) if isinstance(values, Mapping) else values


def check_mappings(**given: Mapping[str, object]) -> None:
    """Check that these are mappings of names to values; ConfigError otherwise."""
    for argument, values in given.items():
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise ConfigError(f"{argument}={short_repr(values)}; expected a mapping of names to values.")


def check_choice(what: str, value: object, allowed: Iterable[str]) -> None:
    """Check that a value is one of the allowed ones; ConfigError otherwise."""
    choices = tuple(allowed)
    if value not in choices:
        raise ConfigError(f"{what}={short_repr(value)}; expected one of {', '.join(map(repr, choices))}.")


def check_count(what: str, value: object) -> None:
    """Check that a value is an integer >= 1; ConfigError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{what}={short_repr(value)}; expected an integer >= 1.")


def check_string(what: str, value: object, example: str) -> None:
    """Check that a value is a non-empty string; ConfigError otherwise."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{what}={short_repr(value)}; expected a string, such as {example!r}.")


def check_line(what: str, value: object, most: int) -> str:
    """Check that a value is a single line of 1 to *most* characters, and return it; ConfigError otherwise."""
    if not isinstance(value, str) or value.splitlines() != [value] or len(value) > most:
        raise ConfigError(f"{what}={short_repr(value)}; expected a single line of 1 to {most} characters.")
    return value


def check_strings(what: str, values: Mapping[str, object]) -> None:
    """Check that all values of a mapping are strings; ConfigError otherwise."""
    for name, value in values.items():
        if not isinstance(value, str):
            raise ConfigError(f"{what} has {name!r}: {short_repr(value)}; expected strings, such as '1'.")


def is_in_s3(uri: object) -> bool:
    """Whether a value is a location in an S3 bucket."""
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
