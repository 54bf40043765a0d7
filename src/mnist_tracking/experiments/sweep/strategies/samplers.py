"""The samplers of Optuna that strategies are named after."""

import importlib
from collections.abc import Callable, Mapping

from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, QMCSampler, RandomSampler, TPESampler

from mnist_tracking._values.optuna_log import experimental
from mnist_tracking.errors import ConfigError, MissingDependencyError
from mnist_tracking.experiments.sweep.dimensions import Integers, Uniform
from mnist_tracking.experiments.sweep.space import Space

__all__ = ["named_sampler"]

_SAMPLERS: Mapping[str, Callable[[Space, int], BaseSampler]] = {
    "random": lambda _, seed: RandomSampler(seed),
    "qmc": lambda _, seed: QMCSampler(scramble=True, seed=seed),
    "tpe": lambda space, seed: TPESampler(
        seed=seed, multivariate=True, group=bool(space.conditions), constant_liar=True
    ),
    "gp": lambda _, seed: GPSampler(seed=seed),
    "cmaes": lambda _, seed: CmaEsSampler(seed=seed),
}
_NEEDS = {  # packages that Optuna imports when it draws, and the extra that installs them
    "qmc": (("scipy", "sweeps"),),
    "gp": (("torch", "training"), ("scipy", "sweeps")),
    "cmaes": (("cmaes", "sweeps"),),
}
_MIN_RANGES = 2  # of CMA-ES


def named_sampler(name: str, space: Space, seed: int) -> BaseSampler:
    """
    Return the sampler of a strategy.

    Raises:
        MissingDependencyError: If it needs a package that is not installed.
        ConfigError: If it cannot search the space.
    """
    for package, extra in _NEEDS.get(name, ()):
        try:
            importlib.import_module(package)
        except ImportError as exc:
            raise MissingDependencyError(package, extra) from exc
    if name == "cmaes":
        _check_ranges(space)
    with experimental():
        return _SAMPLERS[name](space, seed)


def _check_ranges(space: Space) -> None:
    """Check that CMA-ES has something to search: at least two ranges that every point has."""
    ranges = [
        name
        for name, dimension in space.dimensions.items()
        if isinstance(dimension, Uniform | Integers) and dimension.size != 1 and name not in space.conditions
    ]
    if len(ranges) < _MIN_RANGES:
        raise ConfigError(
            f"strategy='cmaes' searches two or more ranges that every point has; the space has {len(ranges)}. Write "
            "ranges such as uniform(0, 0.5), or pass strategy='tpe', which also searches choices."
        )
