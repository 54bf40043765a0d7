"""
What submitting the training script takes, without importing torch: its files, and how its log is read.

Both a training job and an endpoint get ``source_dir=SOURCE_DIR``, ``entry_point=ENTRY_POINT`` and
``dependencies=[PACKAGE_DIR]``. A job finds the package beside the stub, an endpoint in ``code/lib``. Standard
library only.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

__all__ = ["ENTRY_POINT", "METRIC_REGEXES", "PACKAGE_DIR", "SOURCE_DIR"]

#: The file name of the entry point, inside :data:`SOURCE_DIR`.
ENTRY_POINT = "mnist.py"

#: The folder that holds the entry point, and nothing else.
SOURCE_DIR = Path(__file__).resolve().parent / "stub"

#: The whole ``mnist_tracking`` package, which travels with the entry point.
PACKAGE_DIR = Path(__file__).resolve().parents[1]

#: Metric name to the regular expression that finds its values in the script's log.
METRIC_REGEXES: Mapping[str, str] = MappingProxyType(
    {
        "train:loss": "Train Loss: (.*?);",
        "validation:loss": "Validation Average loss: (.*?),",
        "validation:accuracy": "Validation Accuracy: (.*?)%;",
        "test:loss": "Test Average loss: (.*?),",
        "test:accuracy": "Test Accuracy: (.*?)%;",
    }
)
