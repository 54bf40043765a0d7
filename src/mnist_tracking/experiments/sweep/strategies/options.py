"""The pruners that have a name, and their options, which are checked without Optuna."""

from collections.abc import Mapping
from typing import Any

from mnist_tracking._values.checks import check_count
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.errors import ConfigError

__all__ = ["PRUNERS", "checked_options"]

PRUNERS: Mapping[str, tuple[str, ...]] = {
    "median": ("min_iter", "min_trials"),
    "asha": ("min_iter", "eta"),
    "hyperband": ("min_iter", "max_iter", "eta", "s"),
    "patience": ("patience", "min_delta"),
    "none": (),
}
"""The pruners that have a name, and the options of each."""

_LEAST_ETA = 2


def checked_options(pruner: object) -> tuple[str, dict[str, object]]:
    """
    Return the name and the options of a pruner.

    Raises:
        ConfigError: If the pruner or an option is unknown, or a value is not allowed.

    Example:
        >>> checked_options({"type": "asha", "min_iter": 2})
        ('asha', {'min_iter': 2})
    """
    given: dict[str, object] = dict(pruner) if isinstance(pruner, Mapping) else {"type": pruner}
    name = given.pop("type", None)
    if not isinstance(name, str) or name not in PRUNERS:
        hint = did_you_mean(name, PRUNERS) if isinstance(name, str) else ""
        raise ConfigError(
            f"pruner={short_repr(pruner)}; expected one of {', '.join(map(repr, PRUNERS))}, such a name with options, "
            f"as in {{'type': 'asha', 'min_iter': 2}}, or a pruner of Optuna.{hint}"
        )
    known = PRUNERS[name]
    for option, value in given.items():
        if option not in known:
            raise ConfigError(
                f"The pruner {name!r} has no option {option!r}; available: {', '.join(map(repr, known)) or 'none'}."
                f"{did_you_mean(option, known)}"
            )
        _check_option(option, value)
    _check_limits(given)
    return name, given


def _check_option(option: str, value: object) -> None:
    if option not in ("eta", "min_delta"):
        check_count(option, value)
        return
    least, kind = (_LEAST_ETA, int) if option == "eta" else (0, int | float)
    if isinstance(value, bool) or not isinstance(value, kind) or not value >= least:
        expected = "an integer" if kind is int else "a number"
        raise ConfigError(f"{option}={short_repr(value)}; expected {expected} >= {least}.")


def _check_limits(options: Mapping[str, Any]) -> None:
    """Check the limits of Hyperband, in which W&B's ``s`` stands for the number of its brackets."""
    if "s" in options and "max_iter" not in options:
        raise ConfigError(f"s={options['s']} needs max_iter, the number of steps of a trial.")
    if "max_iter" in options and options["max_iter"] < options.get("min_iter", 1):
        raise ConfigError(f"min_iter={options['min_iter']} is above max_iter={options['max_iter']}.")
