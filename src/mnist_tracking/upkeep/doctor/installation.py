"""The Python and the packages that this program runs with."""

import importlib.util
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from mnist_tracking._aws.account import Account
from mnist_tracking.upkeep.doctor.diagnosis import Check

_NEEDED = ("mnist-tracking", "boto3", "sagemaker", "sagemaker-experiments", "setuptools")


def check_packages(_: Account) -> Iterator[Check]:
    """Look for the packages that are always needed, and for torch."""
    yield Check("Python", "ok", platform.python_version())
    problems = [problem for name in _NEEDED if (problem := _problem(name)) is not None]
    ill = {problem.name for problem in problems}
    well = [f"{name} {_version(name)}" for name in _NEEDED if name not in ill]
    yield Check("packages", "ok", ", ".join(well))
    yield from problems
    yield Check("torch", "ok", _version("torch") or "Not installed; only mnist_tracking.training needs it.")


def _problem(name: str) -> Check | None:
    found = _version(name)
    if name == "setuptools" and importlib.util.find_spec("pkg_resources") is None:
        detail = f"{found or 'It is not installed'}: sagemaker-experiments needs the pkg_resources of an older one."
        return Check(name, "problem", detail, "Run: pip install 'setuptools<81'")
    if found is None:
        return Check(name, "problem", "It is not installed.", "Run: pip install mnist-tracking")
    if name == "sagemaker" and not found.startswith("2."):
        return Check(name, "problem", f"{found} has no PyTorch estimator.", "Run: pip install 'sagemaker>=2.257,<3'")
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
