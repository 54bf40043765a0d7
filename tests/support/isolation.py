"""An interpreter for what was sent to SageMaker: torch is in reach, this library and the SDKs are not."""

import os
import sys
import sysconfig
from pathlib import Path

OUT_OF_REACH = (
    *("mnist_tracking", "boto3", "botocore", "s3transfer", "sagemaker", "sagemaker_core", "smexperiments"),
    *("attr", "attrs", "pandas", "click", "rich", "torchvision"),
)


def isolated_interpreter(folder: Path) -> Path:
    """
    Make an interpreter that finds the installed packages, but none of `OUT_OF_REACH`.

    It sees links to the others. It is started with ``-S``, so that no ``.pth`` file, as editable installs have, adds
    to its path.
    """
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for installed in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if installed.name.split(".")[0] not in OUT_OF_REACH and installed.suffix not in (".pth", ".dist-info"):
            (packages / installed.name).symlink_to(installed)
    python = folder / "python"
    path = f"${{PYTHONPATH:+$PYTHONPATH{os.pathsep}}}{packages}"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{path}" OMP_NUM_THREADS=1 exec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    return python
