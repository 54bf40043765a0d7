"""Grid: every point of a space, in order."""

import threading
from typing import TYPE_CHECKING

from mnist_tracking.experiments.sweep.space import Point, Space
from mnist_tracking.experiments.sweep.strategies.points import TriedPoints
from mnist_tracking.experiments.sweep.strategies.protocol import Strategy, SweepTrial

__all__ = ["Grid"]


class Grid:
    """
    Tries every point of a space: those to try first, then the others, the last parameter varying fastest.

    Raises:
        ConfigError: If the space has infinitely many points.
    """

    def __init__(self, space: Space) -> None:
        space.points()  # checks that it can be listed
        self._tried = TriedPoints(space)
        self._lock = threading.Lock()

    def ask(self) -> Point | None:
        """Return the next point that was not tried."""
        with self._lock:
            point = self._tried.next_first() or self._tried.next_of_grid()
            if point is not None:
                self._tried.add(point)
            return point

    def report(self, trial: SweepTrial, step: int, value: float) -> bool:  # noqa: ARG002 - the protocol's names
        """Stop no trial."""
        return False

    def tell(self, trial: SweepTrial) -> None:
        """Count the point of a trial as tried."""
        with self._lock:
            self._tried.add_trial(trial)


if TYPE_CHECKING:
    _: Strategy = Grid(Space(dimensions={}))
