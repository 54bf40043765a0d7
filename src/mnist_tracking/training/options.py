"""Command line options and help for the hyperparameters, built from their record. Standard library only."""

import argparse
from collections.abc import Callable

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.hyperparameters import Hyperparameters, hyperparameter_specs
from mnist_tracking.training.specification import HyperparameterSpec, Scalar

__all__ = ["add_hyperparameters", "describe_hyperparameters", "read_hyperparameters", "shown"]


def add_hyperparameters(parser: argparse.ArgumentParser) -> None:
    """Add one option per hyperparameter to *parser*; ``--batch-size`` and ``--batch_size`` are equivalent."""
    group = parser.add_argument_group("hyperparameters")
    for name, spec in hyperparameter_specs().items():
        group.add_argument(
            *dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}")),
            dest=name,
            type=_reader(spec),
            default=argparse.SUPPRESS,
            metavar=_metavar(spec),
            help=f"{spec.meaning} ({_defaults(spec)})",
        )


def read_hyperparameters(options: argparse.Namespace) -> Hyperparameters:
    """Return the hyperparameters given as options; others have the recipe's defaults."""
    given = {name: getattr(options, name) for name in hyperparameter_specs() if hasattr(options, name)}
    return Hyperparameters.from_mapping(given)


def describe_hyperparameters() -> dict[str, str]:
    """
    Return the help text of each hyperparameter, with its choices and defaults.

    Example:
        >>> describe_hyperparameters()["optimizer"]
        "optimizer that updates the weights; one of 'sgd', 'adam' (default: sgd)"
        >>> describe_hyperparameters()["momentum"]
        'momentum of sgd; ignored by adam (default: 0.9; reference: 0.5)'
    """
    return {
        name: "; ".join([spec.meaning, *([spec.describe()] if spec.choices else [])]) + f" ({_defaults(spec)})"
        for name, spec in hyperparameter_specs().items()
    }


def _metavar(spec: HyperparameterSpec) -> str:
    if spec.kind is bool:
        return "{true,false}"
    return "{" + ",".join(spec.choices) + "}" if spec.choices else spec.kind.__name__.upper()


def _defaults(spec: HyperparameterSpec) -> str:
    values = {recipe: shown(value) for recipe, value in spec.defaults.items()}
    if len(set(values.values())) == 1:
        return f"default: {values['fast']}"
    return f"default: {values['fast']}; reference: {values['reference']}"


def shown(default: Scalar) -> str:
    """Format a default as on the command line."""
    match default:
        case None:
            return "none"
        case bool():
            return str(default).lower()
        case float():
            return f"{default:.3g}"
    return str(default)


def _reader(spec: HyperparameterSpec) -> Callable[[str], Scalar]:
    def read(text: str) -> Scalar:
        try:
            return spec.decode(text)
        except ConfigError as exc:
            raise argparse.ArgumentTypeError(str(exc)) from exc

    return read
