"""Other processes: wait for them, and see whether they are alive."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for something that another process does; fails after *timeout_s*."""
    pause, begun = threading.Event(), time.monotonic()
    while not condition():
        assert time.monotonic() - begun < timeout_s, "it did not happen in time"
        pause.wait(0.005)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            return stat.read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):  # it ended before, or while, its status was read
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def working_folder(pid: int) -> Path | None:
    """Return the folder that a process runs in; None if it has ended."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd"))
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return None
    listed = subprocess.check_output(["lsof", "-a", "-d", "cwd", "-F", "n", "-p", str(pid)], text=True)
    return next((Path(line[1:]) for line in listed.splitlines() if line.startswith("n")), None)
