"""
The Python environment of a job: that of its interpreter, with a folder of its own on top, for what a script installs.

Standard library only, so that an interpreter other than the running one can run this file itself.
"""

import contextlib
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

_PIP = '#!/bin/sh\nexec "{python}" -m pip "$@"\n'


def create_environment(python: str, folder: Path) -> str | None:
    """
    Create an environment in a folder in which everything can be imported that *python* can import.

    ``pip install`` in it changes nothing outside the folder.

    Returns:
        Its interpreter, or None if *python* cannot make one, or is a program that starts an interpreter in its own way.
    """
    if python == sys.executable:
        _create(folder)
    else:
        with contextlib.suppress(OSError):  # it does not exist or is no program, as running the script will show
            subprocess.run([python, "-I", __file__, str(folder), python], check=False, capture_output=True)
    return str(_interpreter(folder)) if _interpreter(folder).exists() else None


def variables_of(python: str) -> dict[str, str]:
    """Return the variables of a process that uses the environment of an interpreter, ``pip`` in a shell included."""
    binaries = Path(python).parent
    path = os.pathsep.join(filter(None, [str(binaries), os.environ.get("PATH")]))
    return {"VIRTUAL_ENV": str(binaries.parent), "PATH": path}


def _interpreter(folder: Path) -> Path:
    return folder / "bin" / "python"


def _create(folder: Path) -> None:
    """Do what ``venv`` does, in a tenth of its time; and let the interpreter find all packages that this one finds."""
    base = Path(getattr(sys, "_base_executable", sys.executable))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / f"python{version}" / "site-packages"
    packages.mkdir(parents=True)
    if sys.platlibdir != "lib":
        (folder / sys.platlibdir).symlink_to("lib")
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    below = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    lines = [f"import site; site.addsitedir({path!r})\n" for path in below]  # reads the .pth files there, too
    (packages / "submitter.pth").write_text("".join(lines))
    (folder / "bin").mkdir()
    for name in ("python", "python3", f"python{version}"):
        (folder / "bin" / name).symlink_to(base)
    for name in ("pip", "pip3"):
        path = folder / "bin" / name
        path.write_text(_PIP.format(python=_interpreter(folder)))
        path.chmod(0o700)


if __name__ == "__main__" and shutil.which(sys.argv[2]) == sys.executable:
    _create(Path(sys.argv[1]))
