"""Names: SageMaker's patterns and lengths, checked before anything is sent, and generated ones that never collide."""

import re
import secrets
from datetime import UTC, datetime

from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

_LIMITS = {
    "experiment": 120,
    "trial": 120,
    "step": 120,
    "artifact": 120,
    "trial component": 120,
    "training job": 63,
    "model": 63,
    "endpoint": 63,
}
_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_STAMP = re.compile(r"-\d{8}-\d{6}-[0-9a-f]{6}(?=-|$)")
_SUFFIX = len("-20261124-120000-abcdef")


def check_name(kind: str, name: str) -> str:
    """
    Return *name* if SageMaker takes it for that kind of thing.

    Raises:
        ConfigError: Otherwise; the message shows a name that would do.
    """
    most = _LIMITS[kind]
    if isinstance(name, str) and len(name) <= most and _PATTERN.fullmatch(name):
        return name
    raise ConfigError(
        f"The {kind} name {short_repr(name)} {_fault(name, most)}; possible are letters, digits and inner hyphens, "
        f"1 to {most}. {suggest_name(str(name or ''), most)!r} would do."
    )


def _fault(name: object, most: int) -> str:
    if not isinstance(name, str):
        return f"is no text ({type(name).__name__})"
    return f"has {len(name)} characters" if len(name) > most else "has characters that SageMaker refuses"


def suggest_name(name: str, most: int) -> str:
    """Return the nearest name that SageMaker takes."""
    cleaned = re.sub(r"-{2,}", "-", re.sub(r"[^a-zA-Z0-9]+", "-", name)).strip("-")
    return cleaned[:most].strip("-") or "experiment-1"


def unique_name(prefix: str, kind: str) -> str:
    """Return ``<prefix>-<UTC time>-<random>``, sortable and different even within one second; one time is enough."""
    most = _LIMITS[kind] - _SUFFIX
    head = suggest_name(_STAMP.sub("", prefix), most)
    return f"{head}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
