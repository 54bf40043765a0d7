"""Custom: the user's own strategy, with its points checked."""

import threading
from typing import TYPE_CHECKING

from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.space import Point, Space
from mnist_tracking.experiments.sweep.strategies.protocol import Strategy, SweepTrial

__all__ = ["Custom"]

_METHODS = ("ask", "report", "tell")


class Custom:
    """
    The user's own strategy, called by one thread at a time.

    Args:
        strategy: Any object with the three methods.
        space: The space, which contains all of its points.

    Raises:
        ConfigError: If a method is missing.
    """

    def __init__(self, strategy: Strategy, space: Space) -> None:
        if isinstance(strategy, type):
            raise ConfigError(
                f"strategy={short_repr(strategy)} is a class; pass an object, such as {strategy.__name__}(...)."
            )
        missing = [name for name in _METHODS if not callable(getattr(strategy, name, None))]
        if missing:
            raise ConfigError(
                f"strategy={short_repr(strategy)} has no method {missing[0]}(); expected the name of a strategy, a "
                "sampler of Optuna, or an object with the methods ask(), report() and tell()."
            )
        self._strategy, self._space = strategy, space
        self._lock = threading.Lock()

    def ask(self) -> Point | None:
        """
        Return the next point of the strategy.

        Raises:
            ConfigError: If it is not in the space, or the rule of the space skips it.
        """
        with self._lock:
            point = self._strategy.ask()
        if point is None:
            return None
        checked = self._space.checked(point)
        if not self._space.allows(checked):
            raise ConfigError(f"The strategy returned the point {short_repr(checked)}, which where= skips.")
        return checked

    def report(self, trial: SweepTrial, step: int, value: float) -> bool:
        """Return whether the strategy stops a running trial."""
        with self._lock:
            return bool(self._strategy.report(trial, step, value))

    def tell(self, trial: SweepTrial) -> None:
        """Let the strategy take a trial into account."""
        with self._lock:
            self._strategy.tell(trial)


if TYPE_CHECKING:
    _: Strategy = Custom.__new__(Custom)
