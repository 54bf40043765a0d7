"""The operations of the embedded SageMaker: a folder or a module for each AWS service."""

import importlib
import pkgutil


def load() -> None:
    """Import every module of this package, so that its handlers are registered."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)
