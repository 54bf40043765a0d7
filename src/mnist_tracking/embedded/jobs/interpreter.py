"""What runs the script of a job in place of a container."""

import os
import platform
import subprocess
import sys
from functools import cache

_TIMEOUT_S = 10.0
_SHOW = "import platform; print(platform.python_implementation(), platform.python_version())"


@cache
def interpreter(python: str) -> str:
    """
    Return the implementation, version and path of an interpreter, with ``~`` for the user's home.

    Example:
        >>> interpreter("/no/python")
        '/no/python'
    """
    home = os.path.expanduser("~").rstrip("/")
    place = python.replace(f"{home}/", "~/", 1) if home and python.startswith(f"{home}/") else python
    version = _version(python)
    return f"{version} at {place}" if version else place


def _version(python: str) -> str:
    """Return the implementation and version; an empty string for what does not run, which the job reports."""
    if python == sys.executable:
        return f"{platform.python_implementation()} {platform.python_version()}"
    try:
        shown = subprocess.run(
            [python, "-I", "-S", "-c", _SHOW], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return shown.stdout.strip()
