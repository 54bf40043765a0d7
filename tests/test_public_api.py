import inspect
import pickle
import re
import subprocess
import sys
import tomllib
import typing
from pathlib import Path

import pytest
from tests.support.toy_job import TOY

import mnist_tracking
from mnist_tracking import errors, types
from mnist_tracking._values.settings import Settings

FACTS: dict[str, tuple[object, ...]] = {
    "MnistTrackingError": ("it went wrong",),
    "ConfigError": ("'a' is wrong; possible is 'b'.",),
    "DatasetError": ("no digits here",),
    "DivergedError": (float("inf"), "epoch 2, step 31"),
    "StoppedError": ("SIGTERM", "step 31 of epoch 2"),
    "ProcessLostError": ("another process ended",),
    "NotFoundError": ("trial", "one", ("two",)),
    "AlreadyExistsError": ("experiment", "digits"),
    "StateError": ("endpoint", "digits", "in-progress", "is being deleted"),
    "JobFailedError": ("job", "ExitCode 7", ("last line",)),
    "JobTimeoutError": ("job", 1.5),
    "ServiceError": ("ValidationException", "CreateTrial", "no", "id"),
    "AccessDeniedError": ("AccessDenied", "CreateTrial", "no", "id"),
    "ThrottledError": ("ThrottlingException", "CreateTrial", "no", "id"),
    "UnsupportedOperationError": ("sagemaker", "CreatePipeline"),
    "MissingDependencyError": ("torch", "training"),
}
BUILTINS = {
    "MnistTrackingError": Exception,
    "ConfigError": ValueError,
    "DatasetError": ValueError,
    "DivergedError": ArithmeticError,
    "StoppedError": RuntimeError,
    "ProcessLostError": ConnectionError,
    "NotFoundError": LookupError,
    "AlreadyExistsError": Exception,
    "StateError": RuntimeError,
    "JobFailedError": RuntimeError,
    "JobTimeoutError": TimeoutError,
    "ServiceError": RuntimeError,
    "AccessDeniedError": PermissionError,
    "ThrottledError": RuntimeError,
    "UnsupportedOperationError": NotImplementedError,
    "MissingDependencyError": ImportError,
}


def error_names() -> list[str]:
    """Every error class of the tree."""
    classes = inspect.getmembers(errors, inspect.isclass)
    return [name for name, found in classes if issubclass(found, Exception)]


def test_public_names_are_sorted() -> None:
    """`__all__` reads as an index."""
    assert mnist_tracking.__all__ == sorted(mnist_tracking.__all__)


def test_public_names_are_those_of_the_lazy_table() -> None:
    """Nothing is listed that cannot be imported, and nothing is importable that is not listed."""
    assert sorted(mnist_tracking._HOMES) == mnist_tracking.__all__


def test_public_names_are_few_enough_to_read() -> None:
    """Result types are in `mnist_tracking.types`, the other errors in `mnist_tracking.errors`."""
    assert len(mnist_tracking.__all__) <= 42


@pytest.mark.parametrize("name", mnist_tracking.__all__)
def test_public_name_can_be_imported(name: str) -> None:
    """Each has a docstring, and lives where the lazy table says."""
    found = getattr(mnist_tracking, name)
    home = found.__name__ if inspect.ismodule(found) else found.__module__

    assert home.startswith(mnist_tracking._HOMES[name])
    assert inspect.getdoc(found)


@pytest.mark.parametrize("name", sorted(name for name, found in vars(types).items() if inspect.isclass(found)))
def test_public_type_is_described_and_listed_once(name: str) -> None:
    found = getattr(types, name)
    assert typing.get_origin(found) is typing.Literal or inspect.getdoc(found)
    assert name not in mnist_tracking.__all__


def test_unknown_name_is_an_attribute_error() -> None:
    """As from any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Estimator'"):
        mnist_tracking.Estimator  # type: ignore[attr-defined]  # noqa: B018


def test_import_is_light() -> None:
    """None of the heavy packages is loaded, and every public name is offered all the same."""
    script = (
        "import sys, mnist_tracking\n"
        "assert set(mnist_tracking.__all__) <= set(dir(mnist_tracking))\n"
        "print(*sorted({'torch', 'sagemaker', 'boto3', 'botocore', 'pandas', 'numpy', 'attrs'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", error_names())
def test_error_survives_pickling(name: str) -> None:
    """Errors cross processes: class, message and facts stay."""
    error = getattr(errors, name)(*FACTS[name])
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("name", error_names())
def test_error_is_the_builtin_a_caller_would_guess(name: str) -> None:
    """And the root of the tree, and public; the package offers those that programs catch."""
    found = getattr(errors, name)

    assert issubclass(found, BUILTINS[name])
    assert issubclass(found, errors.MnistTrackingError)
    assert name in errors.__all__
    assert getattr(mnist_tracking, name, found) is found


@pytest.mark.parametrize(
    "record",
    [
        mnist_tracking.mnist_job(epochs=2, dropout=0.2),
        mnist_tracking.Objective("loss", goal="minimize"),
        mnist_tracking.where.metric("loss") < 0.5,
        Settings(tags={"team": "cv"}),
    ],
    ids=lambda record: type(record).__name__,
)
def test_what_goes_in_survives_pickling(record: object) -> None:
    """Specifications cross processes as errors do."""
    copy = pickle.loads(pickle.dumps(record))

    assert copy == record


def test_a_job_needs_no_keyword_for_its_script() -> None:
    script = str(TOY / "train.py")

    assert mnist_tracking.JobSpec(script).entry_point == script


def test_a_missing_extra_is_installed_by_its_packages() -> None:
    """The package is on no index, so the message cannot name its extra."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = {name: packages_of(project["optional-dependencies"], name) for name in errors._PACKAGES}

    assert {name: set(packages) for name, packages in errors._PACKAGES.items()} == extras
    assert str(errors.MissingDependencyError("onnx", "serving")) == (
        "onnx is not installed. Run: pip install onnx onnxruntime pillow"
    )


def packages_of(extras: dict[str, list[str]], name: str) -> set[str]:
    """Return what an extra installs, the extras that it includes resolved."""
    found = set[str]()
    for requirement in extras[name]:
        if included := re.match(r"mnist-tracking\[(.*)\]", requirement):
            found |= set().union(*(packages_of(extras, one) for one in included[1].split(",")))
        else:
            found.add(re.split(r"[<>=\[]", requirement)[0])
    return found
