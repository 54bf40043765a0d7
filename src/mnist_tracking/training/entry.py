"""
The files needed to submit the training script, and its metric expressions. Does not import torch.

Training jobs and endpoints are both created with ``source_dir=SOURCE_DIR``, ``entry_point=ENTRY_POINT`` and
``dependencies=[PACKAGE_DIR]``. A job finds the package next to the stub, an endpoint in ``code/lib``. Standard
library only.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

__all__ = ["ENTRY_POINT", "METRIC_REGEXES", "PACKAGE_DIR", "SOURCE_DIR"]

#: The file name of the entry point, inside :data:`SOURCE_DIR`.
ENTRY_POINT = "mnist.py"

#: The folder that contains only the entry point.
SOURCE_DIR = Path(__file__).resolve().parent / "stub"

#: The ``mnist_tracking`` package, which is packed with the entry point.
PACKAGE_DIR = Path(__file__).resolve().parents[1]

#: Regular expressions that find each metric's values in the script's log, by metric name.
METRIC_REGEXES: Mapping[str, str] = MappingProxyType(
    {
        "train:loss": "Train Loss: (.*?);",
        "validation:loss": "Validation Average loss: (.*?),",
        "validation:accuracy": "Validation Accuracy: (.*?)%;",
        "test:loss": "Test Average loss: (.*?),",
        "test:accuracy": "Test Accuracy: (.*?)%;",
    }
)
