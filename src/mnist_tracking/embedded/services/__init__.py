"""What the embedded account answers, a module for each family of operations."""

import importlib
import pkgutil


def load() -> None:
    """Import every module of this package, so that its handlers are registered."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)
