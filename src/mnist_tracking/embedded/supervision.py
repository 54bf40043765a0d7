"""
Supervisors: detached processes of this library that outlive the process that started them.

A supervisor holds a file lock, taken before it starts and handed down to it; the kernel drops it when the last holder
ends, however that happens. So no process id can be mistaken for another's, and a killed supervisor is noticed.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import attrs

from mnist_tracking._values.archives import DISK_RESERVE_BYTES
from mnist_tracking.embedded.context import Context
from mnist_tracking.embedded.timing import EngineTiming

_LOG = "supervisor.log"
_SETTINGS = "supervisor.json"


@attrs.frozen
class SupervisorSettings:
    """
    What a supervisor needs of the engine that starts it; kept in the folder of the job or the endpoint.

    Attributes:
        region: The engine's region.
        durability: That of its store.
        timing: Its timing.
        disk_reserve_bytes: How much of the disk unpacking leaves free.
    """

    region: str
    durability: str
    timing: EngineTiming
    disk_reserve_bytes: int = DISK_RESERVE_BYTES

    @classmethod
    def of(cls, context: Context) -> "SupervisorSettings":
        """Return the settings of an engine."""
        return cls(context.identity.region, context.store.durability, context.timing, context.disk_reserve_bytes)

    @classmethod
    def read(cls, folder: Path) -> "SupervisorSettings":
        """Read the settings in a folder."""
        fields = json.loads((folder / _SETTINGS).read_text())
        return cls(**{**fields, "timing": EngineTiming(**fields["timing"])})

    def write(self, folder: Path) -> None:
        """Write the settings to a folder."""
        (folder / _SETTINGS).write_text(json.dumps(attrs.asdict(self)))


def start_detached(module: str, arguments: list[str], *, lock: int, folder: Path) -> int:
    """
    Run ``python -m module arguments`` in its own session and return its process id.

    Args:
        module: What to run.
        arguments: Its arguments.
        lock: The descriptor of the lock that the supervisor will hold; closed here in any case.
        folder: Where its output is written, to ``supervisor.log``.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), env.get("PYTHONPATH", "")]))
    try:
        with (folder / _LOG).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=folder,
                pass_fds=(lock,),
                start_new_session=True,
            )
    finally:
        os.close(
            lock
        )  # even if it was not handed down: otherwise this process would hold the lock for the rest of its life
    threading.Thread(target=process.wait, daemon=True, name=f"reaper-{process.pid}").start()
    return process.pid


def last_words(folder: Path) -> str:
    """Return the exception that ended a supervisor, such as a full disk, as a sentence; empty if it was killed."""
    try:
        lines = (folder / _LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    last = next((line for line in reversed(lines) if line.strip()), "")
    return last and f" Its own log ends with: {last}"
