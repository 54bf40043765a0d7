"""
Run, track, compare, trace and deploy training experiments with SageMaker Experiments, with or without an AWS account.

Importing this package is light: each public name is imported when it is first used. The names are listed in
``__init__.pyi``, which type checkers and editors read, and this module too.
"""

import importlib
import re
from pathlib import Path

from mnist_tracking._values.version import __version__ as __version__

_IMPORTS = re.compile(r"^from (\S+) import (\w+) as \2$", re.MULTILINE)
_HOMES = {name: module for module, name in _IMPORTS.findall(Path(__file__).with_suffix(".pyi").read_text("utf-8"))}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - listed once, in __init__.pyi


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    value: object = getattr(home, name, None) or importlib.import_module(f"{_HOMES[name]}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
