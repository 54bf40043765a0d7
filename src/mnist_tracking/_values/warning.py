"""Warnings that show the line of the program that they are about."""

import contextlib
import inspect
import os
import warnings
from pathlib import Path

__all__ = ["warn"]

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_PASSED_OVER = (_PACKAGE, contextlib.__file__)  # a `with` block of this library is entered and left by contextlib


def warn(message: str) -> None:
    """Issue a warning at the line that has called this library; in a thread of this library, where that begins."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PASSED_OVER):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
