"""
Code that Python runs first in every process of ``mnist-tracking exec``, whose ``PYTHONPATH`` begins here.

It imports nothing of this library before the program creates its first boto session. An interpreter without the library
can run any program that creates no session: calls meant for the embedded SageMaker must not reach AWS.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

TELEMETRY = "sagemaker.telemetry.telemetry_logging"


def run_the_one_behind() -> None:
    """Run the ``sitecustomize`` that this one hides, if any."""
    here = Path(__file__).parent
    spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if Path(entry) != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


def answer(session: Any) -> None:
    """Connect a botocore session to the embedded SageMaker."""
    try:
        from mnist_tracking.embedded.programs import answer
    except ImportError as error:
        raise RuntimeError(
            f"{sys.executable} cannot import mnist-tracking ({error}), so this program's calls would reach AWS. "
            "Nothing was sent. Install mnist-tracking for it, or run the program with a Python that has it."
        ) from error
    answer(session)


class SilentTelemetry(MetaPathFinder):
    """Imports the SDK's telemetry, which bypasses boto, with a sender that does nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find that one module."""
        del target
        spec = PathFinder.find_spec(fullname, path) if fullname == TELEMETRY else None
        if spec is not None and spec.origin is not None:
            spec.loader = SilentLoader(fullname, spec.origin)
        return spec


class SilentLoader(SourceFileLoader):
    """Loads the module, and replaces its sender."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code, then replace its sender."""
        super().exec_module(module)
        module.__dict__["_requests_helper"] = lambda *_args, **_kwargs: None


run_the_one_behind()
sys.meta_path.insert(0, SilentTelemetry())
try:
    import botocore
except ImportError:
    pass  # a program without boto
else:
    botocore.register_initializer(answer)
