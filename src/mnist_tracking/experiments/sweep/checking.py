"""Checks of a space against the job that is to train its points, before anything is sent."""

import random
from collections.abc import Iterator

from mnist_tracking._values.specs import JobSpec
from mnist_tracking._values.text import ellipsize, short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.applying import apply_point
from mnist_tracking.experiments.sweep.space import Point, Space

__all__ = ["check_point", "check_space"]

_MOST_CHECKED = 10_000  # points of a grid
_CORNERS = 100
_MOST_NAMED = 300  # characters of a point, in a message


def check_space(space: Space, job: JobSpec) -> None:
    """
    Check that a job accepts the points of a space, those to try first included.

    Up to 10,000 points are all checked. Of a larger space, a hundred corners are: they have the ends of the ranges.

    Raises:
        ConfigError: If the job rejects a point, which the message names, or the rule keeps none.
    """
    is_listed = space.size is not None and space.size <= _MOST_CHECKED
    points = list(filter(space.allows, space.points() if is_listed else _corners(space)))
    if is_listed and not points:
        raise ConfigError(f"where= skips all of the {len(space):,} points.")
    for point in [*space.first, *points]:
        check_point(job, point)


def _corners(space: Space) -> Iterator[Point]:
    """Yield points whose values are ends of their dimensions, the same ones each time."""
    choose = random.Random(0).choice  # noqa: S311 - no secret
    return (space.draw(lambda _, dimension: choose(dimension.ends)) for _ in range(_CORNERS))


def check_point(job: JobSpec, point: Point) -> None:
    """
    Check that a job accepts a point.

    Raises:
        ConfigError: If it does not; the message names the point.
    """
    try:
        changed, hyperparameters = apply_point(job, point)
        changed.merged(hyperparameters)
    except ConfigError as error:
        named = ", ".join(f"{name}={short_repr(value)}" for name, value in point.items())
        raise ConfigError(f"The point {ellipsize(named, _MOST_NAMED)} is not allowed: {error}") from error
