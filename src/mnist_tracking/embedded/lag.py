"""Lag: how late an embedded SageMaker shows what has happened."""

import math
import random
from typing import Any, Literal

import attrs

from mnist_tracking.errors import ConfigError

__all__ = ["Lag", "View"]

Seconds = float | tuple[float, float]
"""A delay in seconds, or the shortest and the longest one."""

What = Literal["search", "components", "outcomes", "metrics", "logs", "links"]


def _check_seconds(_: object, attribute: Any, value: Seconds) -> None:
    match value if isinstance(value, tuple) else (value, value):
        case (int() | float() as least, int() | float() as most) if 0 <= least <= most < math.inf:
            return
    raise ConfigError(f"{attribute.name}={value!r}; expected seconds >= 0, or a pair of the least and the most.")


def _check_count(_: object, attribute: Any, value: int) -> None:
    if not isinstance(value, int) or value < 0:
        raise ConfigError(f"{attribute.name}={value!r}; expected an integer >= 0.")


@attrs.frozen(kw_only=True)
class Lag:
    """
    How late an embedded SageMaker shows what has happened, as AWS does. By default, it is never late.

    Each delay is a number of seconds, or a pair: the least and the most. For a pair, each resource has a random delay
    that is determined by its name and the seed. So changes appear out of order, but in the same order in each run.

    Attributes:
        seed: Seed of the delays.
        search_s: Until Search shows what was created or changed, or added to a trial.
        components_s: Until the trial component of a training job exists, and after the end of the job until the
            component shows it. DescribeTrainingJob is up to date.
        metrics_s: Until a value of a training job's metric reaches its trial component; each metric has its delay.
        logs_s: Until a line appears in its log stream, which appears with its first line; each stream has its delay.
        links_s: After a component was removed from a trial, until either can be deleted; likewise for a trial that was
            deleted, and its experiment.
        empty_pages: How many empty pages of a log may come before a page with lines.

    Raises:
        ConfigError: If a value is negative, or not a number.

    Example:
        >>> Lag(metrics_s=(0.0, 60.0)).delay("metrics", "accuracy") <= 60.0
        True
    """

    seed: int = 0
    search_s: Seconds = attrs.field(default=0.0, validator=_check_seconds)
    components_s: Seconds = attrs.field(default=0.0, validator=_check_seconds)
    metrics_s: Seconds = attrs.field(default=0.0, validator=_check_seconds)
    logs_s: Seconds = attrs.field(default=0.0, validator=_check_seconds)
    links_s: Seconds = attrs.field(default=0.0, validator=_check_seconds)
    empty_pages: int = attrs.field(default=0, validator=_check_count)

    @classmethod
    def like_aws(cls, seed: int = 0) -> "Lag":
        """
        Return the lag of AWS on a bad day, as public reports describe it.

        Example:
            >>> Lag.like_aws(seed=7).seed
            7
        """
        return cls(
            seed=seed,
            search_s=(1.0, 90.0),
            components_s=(1.0, 20.0),
            metrics_s=(0.0, 60.0),
            logs_s=(0.5, 20.0),
            links_s=(0.0, 10.0),
            empty_pages=2,
        )

    def delay(self, what: What, name: str) -> float:
        """Return how many seconds late a thing appears."""
        span: Seconds = getattr(self, "components_s" if what == "outcomes" else f"{what}_s")
        if not isinstance(span, tuple):
            return span
        return span[0] + (span[1] - span[0]) * self._draw(what, name).random()

    def pages_before(self, page: str) -> int:
        """Return how many empty pages come before a page of a log."""
        return self._draw("pages", page).randint(0, self.empty_pages) if self.empty_pages else 0

    def _draw(self, what: str, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{what}/{name.lower()}")  # noqa: S311 - no secret


@attrs.frozen
class View:
    """
    What can be seen at one moment.

    Attributes:
        lag: How late things appear.
        now: The moment, in seconds since the epoch.
    """

    lag: Lag
    now: float

    def until(self, what: What, name: str) -> float:
        """Return the time up to which a thing can be seen; infinite if it is never late."""
        delay = self.lag.delay(what, name)
        return self.now - delay if delay else math.inf

    def shows(self, what: What, name: str, since: float | None) -> bool:
        """Whether what has happened to a thing at a time, or at no time, can be seen."""
        return since is None or since <= self.until(what, name)
