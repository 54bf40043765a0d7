"""What is installed: few packages, none pinned to one version, and the types."""

import re
from importlib.metadata import requires
from pathlib import Path

import mnist_tracking

HEAVY = ("torch", "torchvision", "matplotlib", "scikit-learn", "onnx", "onnxruntime")


def base() -> list[str]:
    """The requirements that need no extra."""
    return [line for line in requires("mnist-tracking") or () if "extra ==" not in line]


def test_the_base_is_light() -> None:
    names = {re.split(r"[^\w-]", line)[0] for line in base()}

    assert "sagemaker" in names
    assert names.isdisjoint(HEAVY)


def test_no_dependency_is_pinned() -> None:
    assert [line for line in base() if "==" in line] == []


def test_the_types_are_shipped() -> None:
    assert Path(mnist_tracking.__file__).with_name("py.typed").is_file()
