"""Checks of a space against the job that is to train its points, before anything is sent."""

import random
from collections.abc import Iterator

from mnist_tracking._values.specs import JobSpec
from mnist_tracking._values.text import ellipsize, short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.applying import apply_point
from mnist_tracking.experiments.sweep.space import Point, Space

__all__ = ["check_point", "check_space", "expand_grid"]

_MOST_CHECKED = 10_000  # points of a grid
_CORNERS = 100


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
        raise ConfigError(f"The point {named} is not allowed: {error} Exclude such points with where=.") from error


def expand_grid(space: Space, job: JobSpec, *, at_most: int | None = None) -> list[Point]:
    """
    Return every point of the grid that the rule keeps.

    Raises:
        ConfigError: If a range has infinitely many values, there are more than *at_most* points, which are counted
            before any is built, the rule keeps none, or the job rejects one.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("train.py").write_text("")
        >>> expand_grid(Space.of({"lr": [0.1, 0.01], "epochs": [1]}), JobSpec("train.py"))
        [{'lr': 0.1, 'epochs': 1}, {'lr': 0.01, 'epochs': 1}]
    """
    count = space.count()
    if at_most is not None and count > at_most:
        sizes = " x ".join(str(dimension.size) for dimension in space.dimensions.values())
        raise ConfigError(
            f"The grid has {ellipsize(sizes, 40)} = {count:,} points; an experiment can have {at_most} trials. "
            "Split the sweep, or pass trial_quota= to the workspace if AWS has raised yours."
        )
    check_space(space, job)
    return list(filter(space.allows, space.points()))
