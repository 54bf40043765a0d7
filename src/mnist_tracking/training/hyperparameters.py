"""
The hyperparameters of the training program: names, types, defaults, descriptions and limits, in one place.

Standard library only, so that a job specification can reject an unknown name or an invalid value without torch,
before anything is sent. The command line is built from the same record.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.specification import HyperparameterSpec, Scalar

__all__ = [
    "RECIPES",
    "Hyperparameters",
    "Scalar",
    "check_overrides",
    "hyperparameter_specs",
    "known_hyperparameters",
    "unknown_message",
]

#: Sets of defaults: ``fast`` is recommended, ``reference`` has the defaults and the behaviour of the AWS example.
RECIPES = ("fast", "reference")

_LARGEST = 1e30  # a factor of weights must fit a float32; training diverges at far smaller ones


class _FromRecipe:
    """Placeholder for a default that depends on the recipe."""

    def __repr__(self) -> str:
        return "<from the recipe>"


_FROM_RECIPE = _FromRecipe()


def _field(meaning: str, kind: type, *, reference: Scalar, fast: Scalar, **limits: Any) -> Any:
    facts = {"meaning": meaning, "kind": kind, "defaults": {"fast": fast, "reference": reference}, **limits}
    return dataclasses.field(default=_FROM_RECIPE, metadata=facts)


def _same(meaning: str, kind: type, default: Scalar, **limits: Any) -> Any:
    return _field(meaning, kind, reference=default, fast=default, **limits)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """
    The settings that determine a training run.

    Defaults depend on the *recipe*: ``fast`` (the default), tuned on the validation images, or ``reference``, with the
    names, defaults and behaviour of the AWS example. Values are checked and decoded on construction: ``"20"``,
    ``20.0`` and ``20`` are the same number of channels, since SageMaker passes every value as a string. See
    `hyperparameter_specs` for descriptions.

    Raises:
        ConfigError: If a value has the wrong type or is out of range.

    Example:
        >>> Hyperparameters(hidden_channels="32").hidden_channels
        32
        >>> Hyperparameters(recipe="reference").momentum
        0.5
    """

    recipe: str = _same("set of defaults for the other hyperparameters", str, "fast", choices=RECIPES)
    epochs: int = _field(
        "number of passes over the training images", int, reference=10, fast=2, at_least=1, at_most=10**6
    )
    batch_size: int = _same("images per training step, over all hosts", int, 64, at_least=1)
    test_batch_size: int = _same("maximum images per evaluation step; affects only speed", int, 1000, at_least=1)
    optimizer: str = _same("optimizer that updates the weights", str, "sgd", choices=("sgd", "adam"))
    lr: float = _field("peak learning rate", float, reference=0.01, fast=0.08, above=0, at_most=_LARGEST)
    schedule: str = _field(
        "learning rate schedule: constant, or a triangle that ends at 0",
        str,
        reference="constant",
        fast="triangular",
        choices=("constant", "triangular"),
    )
    warmup: float = _same(
        "fraction of the steps at which the triangle peaks; ignored by constant", float, 0.25, at_least=0, below=1
    )
    momentum: float = _field("momentum of sgd; ignored by adam", float, reference=0.5, fast=0.9, at_least=0, below=1)
    nesterov: bool = _field("use Nesterov momentum with sgd; ignored by adam", bool, reference=False, fast=True)
    weight_decay: float = _field(
        "weight decay: fraction of each weight added to its gradient",
        float,
        reference=0.0,
        fast=5e-4,
        at_least=0,
        at_most=_LARGEST,
    )
    dropout: float = _field(
        "dropout rate, applied before the last pooling and before the last layer",
        float,
        reference=0.5,
        fast=0.0,
        at_least=0,
        below=1,
    )
    shift: int = _field(
        "maximum random shift of a training image in each direction, in pixels",
        int,
        reference=0,
        fast=1,
        at_least=0,
        at_most=8,
    )
    kernel_size: int = _same("side of both convolution kernels, in pixels", int, 5, at_least=1, at_most=9)
    hidden_channels: int = _field(
        "channels between the two convolutions", int, reference=10, fast=20, at_least=1, at_most=4096
    )
    precision: str = _same(
        "precision of the layers' arithmetic; bf16 needs a processor that supports it",
        str,
        "fp32",
        choices=("fp32", "bf16"),
    )
    seed: int = _same("random seed", int, 1, at_least=0, below=2**32)
    log_interval: int = _same("training steps between log lines", int, 100, at_least=1)
    checkpoint_s: float = _same(
        "seconds between checkpoints within an epoch; 0 writes one per epoch only", float, 0.0, at_least=0
    )
    backend: str | None = _same(
        "communication backend between hosts; not used with one host",
        str,
        None,
        choices=("gloo", "nccl"),
        optional=True,
    )
    validation_fraction: float = _same(
        "fraction of the training images held out for choosing the best epoch", float, 1 / 12, above=0, below=1
    )
    threads: int = _same("CPU threads; must be equal for bit-identical weights", int, 1, at_least=1, at_most=1024)
    device: str = _same(
        "device to compute on; auto uses a GPU if available", str, "auto", choices=("auto", "cpu", "cuda")
    )

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in _SPECS}
        recipe = "fast" if given["recipe"] is _FROM_RECIPE else str(_SPECS["recipe"].decode(given["recipe"]))
        for name, spec in _SPECS.items():
            value = given[name]
            object.__setattr__(self, name, spec.defaults[recipe] if value is _FROM_RECIPE else spec.decode(value))
        object.__setattr__(self, "recipe", recipe)

    @classmethod
    def from_mapping(cls, overrides: Mapping[str, object]) -> "Hyperparameters":
        """
        Create hyperparameters from the defaults and *overrides*.

        Raises:
            ConfigError: If a name is unknown or a value is invalid.
        """
        return cls(**check_overrides(overrides))  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Scalar]:
        """Return all hyperparameters as a dict."""
        return dataclasses.asdict(self)


_SPECS: Mapping[str, HyperparameterSpec] = MappingProxyType(
    {field.name: HyperparameterSpec(name=field.name, **field.metadata) for field in dataclasses.fields(Hyperparameters)}
)


def hyperparameter_specs() -> Mapping[str, HyperparameterSpec]:
    """Return the specification of each hyperparameter by name, in the order of the record."""
    return _SPECS


def known_hyperparameters() -> tuple[str, ...]:
    """Return the names of all hyperparameters, in the order of the record."""
    return tuple(_SPECS)


def check_overrides(overrides: Mapping[str, object]) -> dict[str, Scalar]:
    """
    Check hyperparameters that differ from the defaults, and decode their values.

    Returns:
        The same names, with decoded values.

    Raises:
        ConfigError: If a name is unknown (the message suggests the nearest and lists all), or a value has the
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
        if name not in _SPECS:
            raise ConfigError(unknown_message(name))
    return {name: _SPECS[name].decode(value) for name, value in overrides.items()}


def unknown_message(name: object) -> str:
    """Return the message for an unknown hyperparameter, with the nearest name and all known ones."""
    near = difflib.get_close_matches(str(name).replace("-", "_"), _SPECS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"No hyperparameter named {name!r}.{hint} Known: {', '.join(_SPECS)}."
