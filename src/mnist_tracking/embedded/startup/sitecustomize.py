"""
What Python runs before all else in each process below ``mnist-tracking exec``, whose ``PYTHONPATH`` begins here.

It imports nothing of this library before the program makes its first boto session. An interpreter that lacks the
library may run any program but one that makes a session: what was meant for the embedded SageMaker must not reach AWS.
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
    """Run the ``sitecustomize`` that this one hides, if there is one."""
    here = Path(__file__).parent
    spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if Path(entry) != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


def answer(session: Any) -> None:
    """Have the embedded SageMaker answer a botocore session."""
    try:
        from mnist_tracking.embedded.programs import answer
    except ImportError as error:
        raise RuntimeError(
            f"{sys.executable} cannot import mnist-tracking ({error}), so this program's calls would reach AWS. "
            "Nothing was sent. Install mnist-tracking there, or run the program by the Python that has it."
        ) from error
    answer(session)


class SilentTelemetry(MetaPathFinder):
    """Finds the SDK's telemetry, which bypasses boto, with a sender that does nothing."""

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
    """Loads the module, and takes its sender away."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code, then replace what sends."""
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
