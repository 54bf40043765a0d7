"""The record of hyperparameters: what it accepts, what it refuses, and that it needs nothing."""

import argparse
import pickle
import subprocess
import sys

import pytest

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.hyperparameters import (
    Hyperparameters,
    check_overrides,
    hyperparameter_specs,
    known_hyperparameters,
)
from mnist_tracking.training.options import add_hyperparameters, read_hyperparameters, shown


def test_the_references_defaults_are_the_references() -> None:
    """Names and values of the reference script; hyperparameters it does not have are neutral."""
    expected = {
        "batch_size": 64,
        "test_batch_size": 1000,
        "epochs": 10,
        "optimizer": "sgd",
        "lr": 0.01,
        "dropout": 0.5,
        "kernel_size": 5,
        "momentum": 0.5,
        "hidden_channels": 10,
        "seed": 1,
        "log_interval": 100,
        "backend": None,
        "schedule": "constant",
        "nesterov": False,
        "weight_decay": 0.0,
        "shift": 0,
        "precision": "fp32",
    }

    assert expected.items() <= Hyperparameters(recipe="reference").as_dict().items()


def test_the_fast_recipe_is_the_default_and_given_values_take_precedence() -> None:
    """In any order."""
    assert Hyperparameters() == Hyperparameters(recipe="fast")
    assert Hyperparameters().nesterov
    given = Hyperparameters.from_mapping({"momentum": "0.7", "recipe": "reference"})
    assert (given.momentum, given.lr, given.recipe) == (0.7, 0.01, "reference")


def test_every_spec_allows_its_own_defaults_and_has_a_description() -> None:
    """A sweep can read them."""
    for name, spec in hyperparameter_specs().items():
        assert spec.name == name
        assert len(spec.meaning) > 10
        for default in spec.defaults.values():
            assert spec.decode(default) == default


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("hidden_channels", "20", 20),
        ("hidden_channels", 20.0, 20),
        ("hidden_channels", "20.0", 20),
        ("lr", "1e-05", 1e-05),
        ("lr", 1, 1.0),
        ("backend", "", None),
        ("backend", "None", None),
        ("backend", "none", None),
        ("backend", "gloo", "gloo"),
        ("optimizer", "Adam", "adam"),
        ("nesterov", "True", True),
        ("nesterov", "false", False),
        ("nesterov", 1, True),
    ],
)
def test_values_are_decoded_as_sagemaker_sends_them(name: str, given: object, meant: object) -> None:
    """Strings, and whole numbers that come back as floats, are converted."""
    decoded = check_overrides({name: given})

    assert {name: meant} == decoded
    assert type(meant) is type(decoded[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("epochs", "True"),
        ("epochs", None),
        ("epochs", [1]),
        ("epochs", 10**400),
        ("lr", "fast"),
        ("lr", 0),
        ("lr", float("nan")),
        ("lr", float("inf")),
        ("lr", 1e39),
        ("weight_decay", 1e39),
        ("momentum", 1.0),
        ("dropout", -0.1),
        ("dropout", 1),
        ("kernel_size", 10),
        ("optimizer", "rmsprop"),
        ("optimizer", None),
        ("backend", "mpi"),
        ("nesterov", "yes"),
        ("nesterov", None),
        ("nesterov", 2),
        ("recipe", "slow"),
        ("schedule", "cosine"),
        ("validation_fraction", 0),
    ],
)
def test_invalid_values_are_rejected_by_name(name: str, value: object) -> None:
    """The message has the name, the value and the allowed values."""
    with pytest.raises(ConfigError, match=name) as refused:
        check_overrides({name: value})

    assert repr(value) in str(refused.value)
    assert "must be" in str(refused.value)


def test_the_message_describes_the_allowed_values() -> None:
    """Ranges and choices are spelled out."""
    with pytest.raises(ConfigError, match=r"must be a whole number, at least 1 and at most 9\."):
        check_overrides({"kernel_size": 11})
    with pytest.raises(ConfigError, match="must be one of 'sgd', 'adam'"):
        check_overrides({"optimizer": "lion"})


def test_an_unknown_name_is_rejected_with_the_nearest_and_all_known() -> None:
    """A typo is corrected."""
    with pytest.raises(ConfigError) as refused:
        Hyperparameters.from_mapping({"hiden_channels": 5})

    assert "Did you mean 'hidden_channels'?" in str(refused.value)
    assert all(name in str(refused.value) for name in known_hyperparameters())


def test_the_record_is_frozen_and_pickles() -> None:
    """It can be sent to other processes, and cannot be changed."""
    record = Hyperparameters(lr=0.1)

    assert record == pickle.loads(pickle.dumps(record))
    with pytest.raises(AttributeError):
        record.lr = 0.2  # type: ignore[misc]


@pytest.mark.parametrize("flag", ["--hidden_channels", "--hidden-channels"])
def test_hyphens_and_underscores_are_equivalent(flag: str) -> None:
    """SageMaker uses underscores."""
    assert read(flag, "7").hidden_channels == 7


def test_the_defaults_shown_in_the_help_are_accepted() -> None:
    """Up to rounding."""
    for name, spec in hyperparameter_specs().items():
        for default in spec.defaults.values():
            taken = getattr(read(f"--{name}", shown(default)), name)

            assert taken == (pytest.approx(default, rel=1e-3) if isinstance(default, float) else default)


def test_omitted_options_have_the_recipes_defaults() -> None:
    """Also when the recipe comes last."""
    assert read("--lr", "0.5", "--recipe", "reference") == Hyperparameters(recipe="reference", lr=0.5)


def read(*arguments: str) -> Hyperparameters:
    parser = argparse.ArgumentParser()
    add_hyperparameters(parser)
    return read_hyperparameters(parser.parse_args(arguments))


def test_neither_torch_nor_numpy_is_imported() -> None:
    """A job specification is checked without them."""
    script = (
        "import sys, mnist_tracking.training.hyperparameters, mnist_tracking.training.entry\n"
        "print([n for n in ('torch', 'numpy', 'attrs', 'boto3', 'sagemaker', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
