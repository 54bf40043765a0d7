"""Kill all processes of a script, including those in their own sessions, and daemons, whose parents have ended."""

import contextlib
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_PASSES = 10  # a killed process may have started another one


def kill_tree(pid: int) -> None:
    """Kill the process group of *pid*, and all descendants of *pid* that can be found."""
    found = descendants(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for child in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child, signal.SIGKILL)


def kill_marked(variable: str, value: str) -> None:
    """
    Kill all processes whose environment has a variable with this value, whatever their parents.

    Only Linux exposes the environment of processes; elsewhere this does nothing.
    """
    mark = os.fsencode(f"{variable}={value}")
    for _ in range(_PASSES):
        found = [pid for pid, environment in _environments() if mark in environment]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    """Yield the processes of this user, each with its initial environment."""
    for path in _PROC.glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # of another user, or just ended
            yield int(path.parent.name), path.read_bytes().split(b"\0")


def descendants(pid: int) -> list[int]:
    """Return the process ids of all descendants."""
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    found, todo = [], [pid]
    while todo:
        more = children.pop(todo.pop(), [])
        found += more
        todo += more
    return found


def _parents() -> Iterator[tuple[int, int]]:
    """Yield each process of this machine, with its parent."""
    if (_PROC / "self" / "stat").exists():
        for path in _PROC.glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # just ended
                yield int(path.parent.name), int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
        return
    listed = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        child, parent = map(int, line.split())
        yield child, parent
