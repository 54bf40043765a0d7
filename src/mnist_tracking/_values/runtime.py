"""
What a program runs in: its Python, its platform, the versions of its main packages, and its command.

Standard library only: this module travels with training jobs.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from mnist_tracking._values.markers import RESERVED
from mnist_tracking._values.repository import without_credentials
from mnist_tracking._values.text import ellipsize
from mnist_tracking._values.version import __version__

__all__ = ["RUNTIME", "command_of", "folder_of_program", "runtime", "this_command"]

#: The parameter of a component with what the program ran in, as JSON.
RUNTIME = f"{RESERVED}runtime"

_PACKAGES = (  # whose versions decide what a training does
    *("boto3", "catboost", "datasets", "jax", "keras", "lightgbm", "lightning", "numpy", "optuna", "pandas"),
    *("pytorch-lightning", "sagemaker", "sagemaker-experiments", "scikit-learn", "scipy", "statsmodels"),
    *("tensorflow", "tokenizers", "torch", "torchvision", "transformers", "xgboost"),
)
_LONGEST_COMMAND = 1000  # as JSON
_SECRET = re.compile(r"pass(word|wd|phrase)|secret|token|api[-_]?key|access[-_]?key|credential", re.IGNORECASE)


@cache
def runtime() -> dict[str, Any]:
    """
    Return what this process runs in; found out once.

    Example:
        >>> sorted(runtime())
        ['executable', 'packages', 'platform', 'python']
    """
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "executable": _without_home(sys.executable or ""),
        "platform": platform.platform(),
        "packages": dict(_versions()),
    }


def _versions() -> Iterator[tuple[str, str]]:
    yield "mnist-tracking", __version__  # in a job, it is not installed
    for name in _PACKAGES:
        try:
            yield name, str(metadata.version(name))
        except (metadata.PackageNotFoundError, OSError, ValueError):
            continue


def this_command() -> str:
    """Return the command that this program was started with, on one line and without what looks like a secret."""
    return command_of(sys.orig_argv or sys.argv)


def command_of(arguments: Sequence[str]) -> str:
    """
    Return a command as text, without what looks like a secret.

    Example:
        >>> command_of(["/usr/bin/python3", "train.py", "--lr", "0.1", "--api-key", "abc", "TOKEN=abc"])
        "python3 train.py --lr 0.1 --api-key '***' 'TOKEN=***'"
    """
    import shlex

    program = [os.path.basename(arguments[0])] if arguments else []
    shown = shlex.join([*program, *map(_without_home, _without_secrets(arguments[1:]))])
    line = " ".join(shown.split()).encode("utf-8", "replace").decode()
    while len(json.dumps(line)) > _LONGEST_COMMAND:
        line = ellipsize(line, len(line) * 3 // 4)
    return line


def _without_secrets(arguments: Sequence[str]) -> Iterator[str]:
    is_secret = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if is_secret and not argument.startswith("-"):
            yield "***"
            is_secret = False
        elif equals and _SECRET.search(name):
            yield f"{name}=***"
        else:
            yield without_credentials(argument) if "://" in argument else argument
            is_secret = argument.startswith("-") and bool(_SECRET.search(argument))


def _without_home(text: str) -> str:
    """Return a path, or an argument with one, with ``~`` for the user's home, whose name is often a person's."""
    home = os.path.expanduser("~").rstrip("/")
    return text.replace(f"{home}/", "~/") if home else text


def folder_of_program() -> Path:
    """Return the folder of the script that is running; for an installed program, or without a script, where it runs."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = Path(os.path.abspath(script)).parent if script else Path()
    return Path() if folder.is_relative_to(sys.prefix) or not folder.is_dir() else folder
