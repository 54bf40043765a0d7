"""
The hyperparameters of the training script: names, types, defaults, meanings and limits, in one place.

Standard library only, so that a job specification refuses an unknown name or a wrong value without torch,
before anything is sent. The command line is built from the same record.
"""

import argparse
import dataclasses
import difflib
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mnist_tracking.errors import ConfigError

__all__ = [
    "Hyperparameters",
    "Scalar",
    "add_arguments",
    "check_overrides",
    "describe_hyperparameters",
    "known_hyperparameters",
    "unknown_message",
]

Scalar: TypeAlias = int | float | str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What a hyperparameter means and may be."""

    meaning: str
    kind: type
    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()
    optional: bool = False

    def allows(self, number: float) -> bool:
        return math.isfinite(number) and self.at_least <= number <= self.at_most and self.above < number < self.below

    def describe(self) -> str:
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices)) + (", or None" if self.optional else "")
        bounds = {
            "at least": self.at_least,
            "at most": self.at_most,
            "above": self.above,
            "below": self.below,
        }
        limits = " and ".join(f"{word} {value:g}" for word, value in bounds.items() if math.isfinite(value))
        noun = "a whole number" if self.kind is int else "a number"
        return f"{noun}, {limits}" if limits else noun


def _field(default: Scalar, meaning: str, kind: type, **limits: Any) -> Any:
    record = _Limits(meaning=meaning, kind=kind, **limits)
    return dataclasses.field(default=default, metadata={"limits": record})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """
    Everything that decides what a training run computes.

    The names and defaults are those of the reference script. Values are checked and decoded on construction:
    ``"20"``, ``20.0`` and ``20`` are the same number of channels, since SageMaker hands everything over as
    text.

    Raises:
        ConfigError: If a value has the wrong type or is out of its range.

    Example:
        >>> Hyperparameters(hidden_channels="20").hidden_channels
        20
    """

    epochs: int = _field(10, "passes over the training images", int, at_least=1)
    batch_size: int = _field(64, "images per training step", int, at_least=1)
    test_batch_size: int = _field(1000, "images per evaluation step, at most; changes speed only", int, at_least=1)
    optimizer: str = _field("sgd", "how the weights are updated", str, choices=("sgd", "adam"))
    lr: float = _field(0.01, "learning rate", float, above=0)
    momentum: float = _field(0.5, "momentum of sgd; adam ignores it", float, at_least=0, below=1)
    dropout: float = _field(
        0.5, "share dropped, before both the last pooling and the last layer", float, at_least=0, below=1
    )
    kernel_size: int = _field(5, "side of both convolutions, in pixels", int, at_least=1, at_most=9)
    hidden_channels: int = _field(10, "channels between the two convolutions", int, at_least=1, at_most=4096)
    seed: int = _field(1, "seed of every random source", int, at_least=0, below=2**32)
    log_interval: int = _field(100, "training steps between two log lines", int, at_least=1)
    backend: str | None = _field(
        None, "how several hosts talk; one host needs none", str, choices=("gloo", "nccl"), optional=True
    )
    validation_fraction: float = _field(
        1 / 12, "share of the training images held out to choose the epoch", float, above=0, below=1
    )
    threads: int = _field(1, "CPU threads; part of what makes weights bit-identical", int, at_least=1, at_most=1024)
    device: str = _field(
        "auto", "where to compute; auto takes a GPU if there is one", str, choices=("auto", "cpu", "cuda")
    )

    def __post_init__(self) -> None:
        for name in known_hyperparameters():
            object.__setattr__(self, name, _decode(name, getattr(self, name)))

    @classmethod
    def from_mapping(cls, overrides: Mapping[str, object]) -> "Hyperparameters":
        """
        Take the defaults, with *overrides*.

        Raises:
            ConfigError: If a name is unknown, or a value is wrong.
        """
        return cls(**check_overrides(overrides))  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Scalar]:
        """Return every name with its value."""
        return dataclasses.asdict(self)


_LIMITS: Mapping[str, _Limits] = {field.name: field.metadata["limits"] for field in dataclasses.fields(Hyperparameters)}


def known_hyperparameters() -> tuple[str, ...]:
    """Return the names of all hyperparameters, in the order of the record."""
    return tuple(_LIMITS)


def describe_hyperparameters() -> dict[str, str]:
    """
    Return what each hyperparameter means, with its choices and its default, as a help text says it.

    Example:
        >>> describe_hyperparameters()["optimizer"]
        "how the weights are updated; one of 'sgd', 'adam' (default: sgd)"
    """
    defaults = Hyperparameters().as_dict()
    means = {
        name: "; ".join([one.meaning, *([one.describe()] if one.choices else [])]) for name, one in _LIMITS.items()
    }
    return {name: f"{text} (default: {_shown(defaults[name])})" for name, text in means.items()}


def check_overrides(overrides: Mapping[str, object]) -> dict[str, Scalar]:
    """
    Check hyperparameters that differ from the defaults, and decode their values.

    Returns:
        The same names, with values of their proper types.

    Raises:
        ConfigError: If a name is unknown (the message has the nearest and all known ones), or a value has the
            wrong type or is out of range.

    Example:
        >>> check_overrides({"lr": "1e-05", "backend": ""})
        {'lr': 1e-05, 'backend': None}
        >>> check_overrides({"hiden_channels": 5})
        Traceback (most recent call last):
        mnist_tracking.errors.ConfigError: No hyperparameter named 'hiden_channels'. Did you mean
        'hidden_channels'? Known: ...
    """
    for name in overrides:
        if name not in _LIMITS:
            raise ConfigError(unknown_message(name))
    return {name: _decode(name, value) for name, value in overrides.items()}


def unknown_message(name: object) -> str:
    near = difflib.get_close_matches(str(name).replace("-", "_"), _LIMITS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"No hyperparameter named {name!r}.{hint} Known: {', '.join(_LIMITS)}."


def _decode(name: str, value: object) -> Scalar:
    limits = _LIMITS[name]
    if limits.choices:
        return _choose(name, value, limits)
    number = _number(value)
    if not limits.allows(number) or (limits.kind is int and not number.is_integer()):
        raise ConfigError(f"The hyperparameter {name!r} is {value!r}, but must be {limits.describe()}.")
    return int(number) if limits.kind is int else number


def _choose(name: str, value: object, limits: _Limits) -> str | None:
    if limits.optional and value in (None, "", "None"):
        return None
    if isinstance(value, str) and value.lower() in limits.choices:
        return value.lower()
    raise ConfigError(f"The hyperparameter {name!r} is {value!r}, but must be {limits.describe()}.")


def _number(value: object) -> float:
    """Read a number, or NaN if there is none. Text counts, booleans do not."""
    if isinstance(value, bool) or not isinstance(value, str | numbers.Real):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one option per hyperparameter to *parser*; ``--batch-size`` and ``--batch_size`` are the same."""
    group = parser.add_argument_group("hyperparameters")
    for name, default in Hyperparameters().as_dict().items():
        limits = _LIMITS[name]
        group.add_argument(
            *dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}")),
            dest=name,
            type=_argument_type(name),
            default=default,
            metavar="{" + ",".join(limits.choices) + "}" if limits.choices else limits.kind.__name__.upper(),
            help=f"{limits.meaning} (default: {_shown(default)})",
        )


def _shown(default: Scalar) -> str:
    if default is None:
        return "none"
    return f"{default:.3g}" if isinstance(default, float) else str(default)


def _argument_type(name: str) -> Callable[[str], Scalar]:
    def convert(text: str) -> Scalar:
        try:
            return _decode(name, text)
        except ConfigError as exc:
            raise argparse.ArgumentTypeError(str(exc)) from exc

    return convert
