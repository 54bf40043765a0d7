"""Which points of a space were tried, and which of them is the next."""

from collections.abc import Hashable, Iterator, Mapping

from mnist_tracking._values.recordable import comparable_items
from mnist_tracking._values.records import ParameterValue
from mnist_tracking.experiments.sweep.space import Point, Space
from mnist_tracking.experiments.sweep.strategies.protocol import SweepTrial

__all__ = ["TriedPoints"]

_MOST_LISTED = 100_000


class TriedPoints:
    """
    The points of a space that were proposed, or belong to a trial of the sweep.

    Those of earlier experiments are not among them: in this sweep, they may be tried again.

    Attributes:
        are_listed: Whether there are so few points that all of them may be gone through.
    """

    def __init__(self, space: Space) -> None:
        self._space, size = space, space.size
        self.are_listed = size is not None and size <= _MOST_LISTED
        self._keys: set[Hashable] = set()
        self._grid: Iterator[Point] | None = None
        self._next: Point | None = None

    def add(self, point: Mapping[str, ParameterValue]) -> None:
        """Count a point as tried."""
        self._keys.add(comparable_items(point))

    def add_trial(self, trial: SweepTrial) -> None:
        """Count the point of a trial as tried, if the trial belongs to the sweep."""
        if trial.number >= 0:
            self.add(trial.point)

    def is_open(self, point: Point) -> bool:
        """Whether a point was not tried, and the rule of the space keeps it."""
        return comparable_items(point) not in self._keys and self._space.allows(point)

    def next_first(self) -> Point | None:
        """Return the next of the points to try first; None if all were tried."""
        return next((dict(point) for point in self._space.first if self.is_open(point)), None)

    def next_of_grid(self) -> Point | None:
        """
        Return the next point of the grid; None if all were tried.

        Raises:
            ConfigError: If the space has infinitely many points.
        """
        if self._grid is None:
            self._grid = self._space.points()
            self._next = next(self._grid, None)
        while self._next is not None and not self.is_open(self._next):
            self._next = next(self._grid, None)
        return self._next
