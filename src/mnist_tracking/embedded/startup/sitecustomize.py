"""
Code that Python runs first in every process of ``mnist-tracking exec``, whose ``PYTHONPATH`` begins here.

It imports nothing of this library before the program creates its first boto session. An interpreter without the library
can run any program that creates no session: calls meant for the embedded SageMaker must not reach AWS.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

DATABASE = "sagemaker.db"


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


def silence(telemetry: ModuleType) -> None:
    """Replace the sender of the SDK's telemetry, which bypasses boto."""
    telemetry.__dict__["_requests_helper"] = lambda *_args, **_kwargs: None


def leave_out_homes(utils: ModuleType) -> None:
    """Let the SDK pack and copy folders of code without the homes of embedded SageMakers in them."""
    import shutil
    import tarfile
    import tempfile

    class WithoutHomes(tarfile.TarFile):
        def add(self, name: Any, *args: Any, **kwargs: Any) -> None:
            if not is_home(name):
                super().add(name, *args, **kwargs)

    def create_tar_file(source_files: list[str], target: str | None = None) -> str:
        archive = target or tempfile.mkstemp()[1]
        with WithoutHomes.open(archive, "w:gz", dereference=True) as tar:
            for source in source_files:
                tar.add(source, arcname=os.path.basename(source))
        return archive

    def homes_in(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if is_home(os.path.join(folder, name))]

    def copytree(source: str, target: str) -> object:
        return shutil.copytree(source, target, ignore=homes_in)

    own_shutil = SimpleNamespace(**{**vars(shutil), "copytree": copytree})
    utils.__dict__.update(create_tar_file=create_tar_file, shutil=own_shutil)


def is_home(path: Any) -> bool:
    """Whether a path is the home of an embedded SageMaker, which would grow with every archive of itself."""
    return os.path.lexists(os.path.join(path, DATABASE))


PATCHES = {"sagemaker.telemetry.telemetry_logging": silence, "sagemaker.utils": leave_out_homes}


class PatchedModules(MetaPathFinder):
    """Imports the modules of the SDK that are patched."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find one of them."""
        del target
        spec = PathFinder.find_spec(fullname, path) if fullname in PATCHES else None
        if spec is not None and spec.origin is not None:
            spec.loader = PatchingLoader(fullname, spec.origin)
        return spec


class PatchingLoader(SourceFileLoader):
    """Loads a module, then patches it."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code, then patch it."""
        super().exec_module(module)
        PATCHES[module.__name__](module)


run_the_one_behind()
sys.meta_path.insert(0, PatchedModules())
try:
    import botocore
except ImportError:
    pass  # a program without boto
else:
    botocore.register_initializer(answer)
