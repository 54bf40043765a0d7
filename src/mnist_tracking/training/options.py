"""The hyperparameters on a command line: options and help, made from their record. Standard library only."""

import argparse
from collections.abc import Callable

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.hyperparameters import Hyperparameters, hyperparameter_specs
from mnist_tracking.training.specification import HyperparameterSpec, Scalar

__all__ = ["add_hyperparameters", "describe_hyperparameters", "read_hyperparameters", "shown"]


def add_hyperparameters(parser: argparse.ArgumentParser) -> None:
    """Add one option per hyperparameter to *parser*; ``--batch-size`` and ``--batch_size`` are the same."""
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
    """Return what the options say; the rest is the recipe's."""
    given = {name: getattr(options, name) for name in hyperparameter_specs() if hasattr(options, name)}
    return Hyperparameters.from_mapping(given)


def describe_hyperparameters() -> dict[str, str]:
    """
    Return what each hyperparameter means, with its choices and its defaults, as a help text says it.

    Example:
        >>> describe_hyperparameters()["optimizer"]
        "how the weights are updated; one of 'sgd', 'adam' (default: sgd)"
        >>> describe_hyperparameters()["momentum"]
        'momentum of sgd; adam ignores it (default: 0.9; reference: 0.5)'
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
    texts = {recipe: shown(value) for recipe, value in spec.defaults.items()}
    if len(set(texts.values())) == 1:
        return f"default: {texts['fast']}"
    return f"default: {texts['fast']}; reference: {texts['reference']}"


def shown(default: Scalar) -> str:
    """Return a default as a command line would take it."""
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
