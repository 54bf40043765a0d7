"""The pruners of Optuna that have a name, and their options."""

from collections.abc import Callable, Mapping
from typing import Any

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, PatientPruner, SuccessiveHalvingPruner

from mnist_tracking._values.optuna_log import experimental

__all__ = ["named_pruner"]


def _median(*, min_iter: int = 1, min_trials: int = 5) -> BasePruner:
    return MedianPruner(n_startup_trials=min_trials, n_warmup_steps=min_iter)


def _asha(*, min_iter: int = 1, eta: int = 4) -> BasePruner:
    return SuccessiveHalvingPruner(min_resource=min_iter, reduction_factor=eta)


def _hyperband(*, min_iter: int | None = None, max_iter: int | None = None, eta: int = 3, s: int = 0) -> BasePruner:
    if min_iter is None:
        min_iter = 1 if max_iter is None or not s else max(1, max_iter // eta**s)
    return HyperbandPruner(min_resource=min_iter, max_resource=max_iter or "auto", reduction_factor=eta)


def _patience(*, patience: int = 3, min_delta: float = 0.0) -> BasePruner:
    return PatientPruner(None, patience=patience, min_delta=min_delta)


_PRUNERS: Mapping[str, Callable[..., BasePruner]] = {
    "median": _median,
    "asha": _asha,
    "hyperband": _hyperband,
    "patience": _patience,
}


def named_pruner(name: str, options: Mapping[str, Any]) -> BasePruner:
    """Return the pruner of a name, with options that were checked."""
    with experimental():
        return _PRUNERS[name](**options)
