"""Names: SageMaker's patterns and lengths, checked before anything is sent, and generated names that are unique."""

import hashlib
import json
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from mnist_tracking._values.recordable import ParameterValue
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

_LIMITS = {
    "experiment": 120,
    "trial": 120,
    "step": 120,
    "sweep": 100,
    "artifact": 120,
    "trial component": 120,
    "training job": 63,
    "model": 63,
    "endpoint": 63,
}
"""The longest names that SageMaker accepts; a sweep's trials have its name, and some characters more."""
_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_STAMP = re.compile(r"-\d{6}-\d{6}-[0-9a-z]{5}(?=-|$)")
_SUFFIX = len("-261124-120000-k3f9x")
_ALPHABET = string.digits + string.ascii_lowercase


def check_name(kind: str, name: str) -> str:
    """
    Check a name against SageMaker's rules for that kind of thing, and return it.

    Raises:
        ConfigError: If SageMaker would reject it; the message suggests a name.
    """
    most = _LIMITS[kind]
    if isinstance(name, str) and len(name) <= most and _PATTERN.fullmatch(name):
        return name
    raise ConfigError(
        f"The {kind} name {short_repr(name)} {_fault(name, most)}; expected 1 to {most} letters, digits and "
        f"inner hyphens, such as {suggest_name(str(name or ''), most)!r}."
    )


def _fault(name: object, most: int) -> str:
    if not isinstance(name, str):
        return f"is not a string ({type(name).__name__})"
    return f"has {len(name)} characters" if len(name) > most else "has characters that SageMaker does not allow"


def suggest_name(name: str, most: int) -> str:
    """Return the nearest name that SageMaker accepts."""
    cleaned = re.sub(r"-{2,}", "-", re.sub(r"[^a-zA-Z0-9]+", "-", name)).strip("-")
    return cleaned[:most].strip("-") or "experiment-1"


def is_generated(name: str) -> bool:
    """
    Whether a name is one of `unique_name`, or begins with one.

    Example:
        >>> is_generated(unique_name("churn", "trial")), is_generated("churn-2026")
        (True, False)
    """
    return _STAMP.search(name) is not None


def unique_name(prefix: str, kind: str) -> str:
    """Return ``<prefix>-<UTC time>-<random>``, sortable and unique; a suffix that *prefix* has already is dropped."""
    most = _LIMITS[kind] - _SUFFIX
    head = suggest_name(_STAMP.sub("", prefix), most)
    random = "".join(secrets.choice(_ALPHABET) for _ in range(5))
    return f"{head}-{datetime.now(UTC):%y%m%d-%H%M%S}-{random}"


def attempt_name(sweep: str, slot: str, attempt: int) -> str:
    """
    Return the name of a sweep's trial.

    Args:
        sweep: The name of the sweep.
        slot: What the trial is in the sweep: its number, or the digest of its hyperparameters.
        attempt: Which attempt at it, from 1.

    Example:
        >>> attempt_name("night", "7", 1), attempt_name("night", "7", 2)
        ('night-7', 'night-7-a2')
    """
    return f"{sweep}-{slot}" if attempt == 1 else f"{sweep}-{slot}-a{attempt}"


def attempts_of(sweep: str, trials: Iterable[str]) -> dict[str, int]:
    """
    Return the number of the last attempt at each slot of a sweep.

    Args:
        sweep: The name of the sweep.
        trials: The names of trials, of this sweep or not; case is ignored.

    Example:
        >>> attempts_of("night", ["night-0", "night-0-a2", "night-1", "night-1-0", "day-1"])
        {'0': 2, '1': 1}
        >>> attempts_of("night", ["night-2-a123456789"])  # a trial of the grid "night-2"
        {}
    """
    pattern = re.compile(rf"{re.escape(sweep)}-([0-9a-z]+)(?:-a([0-9]{{1,4}}))?", re.IGNORECASE)
    attempts: dict[str, int] = {}
    for found in filter(None, map(pattern.fullmatch, trials)):
        slot, attempt = found[1].lower(), int(found[2] or 1)
        attempts[slot] = max(attempt, attempts.get(slot, 0))
    return attempts


def sweep_record_name(experiment: str, sweep: str) -> str:
    """
    Return the name of the trial component that stores what a sweep of an experiment is.

    Example:
        >>> sweep_record_name("churn", "night")
        'night-sweep-539c168269'
    """
    return f"{sweep}-sweep-{digest_of(experiment, {'sweep': sweep.lower()})}"


def digest_of(experiment: str, hyperparameters: Mapping[str, ParameterValue]) -> str:
    """
    Return ten characters that stand for the hyperparameters of a trial of an experiment, on every machine.

    Values that a script receives as different arguments differ: 2, 2.0 and "2".

    Example:
        >>> digest_of("churn", {"lr": 0.1, "depth": 2}) == digest_of("churn", {"depth": 2, "lr": 0.1})
        True
        >>> len({digest_of("churn", {"depth": depth}) for depth in (2, 2.0, "2", True, None)})
        5
    """
    exact = json.dumps([experiment.lower(), hyperparameters], sort_keys=True)
    return hashlib.sha256(exact.encode()).hexdigest()[:10]
