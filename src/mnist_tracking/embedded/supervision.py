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
import time
from pathlib import Path

import attrs

from mnist_tracking._values.archives import DISK_RESERVE_BYTES
from mnist_tracking._values.files import OwnedFile, open_privately
from mnist_tracking.embedded.context import Context
from mnist_tracking.embedded.disk import open_regular
from mnist_tracking.embedded.jobs.resources import Machine
from mnist_tracking.embedded.timing import EngineTiming

_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The variables that jobs and endpoints inherit, beside those that begin with ``LC_``."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
"""The variables that endpoints inherit, too: what a model server may use of this machine."""
_KEPT = frozenset({*_INHERITED, *THREADS})
_PREFIXES = ("LC_", "PYTHON")
_NO_CREDENTIALS = {  # from files below HOME and from an instance; AWS variables are not passed on anyway
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "BOTO_CONFIG": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_GUARD = "mnist_tracking.embedded.guard"
_LOG = "supervisor.log"
_LAST_BYTES = 1 << 14
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
        machine: What jobs may use of this machine.
        clock_ahead_s: How far its clock is ahead of this machine's.
    """

    region: str
    durability: str
    timing: EngineTiming
    disk_reserve_bytes: int = DISK_RESERVE_BYTES
    machine: Machine = attrs.field(factory=Machine)
    clock_ahead_s: float = 0.0

    @classmethod
    def of(cls, context: Context) -> "SupervisorSettings":
        """Return the settings of an engine."""
        ahead_s = round(context.now() - time.time(), 1)  # the two are not read at the same moment
        return cls(
            context.identity.region,
            context.store.durability,
            context.timing,
            context.disk_reserve_bytes,
            context.machine(),
            ahead_s,
        )

    def now(self) -> float:
        """Return the time in seconds since the epoch, by the clock of the engine."""
        return time.time() + self.clock_ahead_s

    @classmethod
    def read(cls, folder: Path) -> "SupervisorSettings":
        """Read the settings in a folder."""
        fields = json.loads((folder / _SETTINGS).read_text())
        timing, machine = EngineTiming(**fields["timing"]), Machine(**fields.get("machine", {}))
        return cls(**{**fields, "timing": timing, "machine": machine})

    @staticmethod
    def are_in(folder: Path) -> bool:
        """Whether settings were written to a folder."""
        return (folder / _SETTINGS).is_file()

    def write(self, folder: Path) -> None:
        """Write the settings to a folder."""
        with open(folder / _SETTINGS, "wb", opener=open_privately) as file:
            file.write(json.dumps(attrs.asdict(self)).encode())


def start_detached(module: str, arguments: list[str], *, lock: OwnedFile, folder: Path) -> int:
    """
    Run a supervisor and its guard in a session of their own, and return the guard's process id.

    It gets only the variables of this process that it needs: those that jobs and endpoints inherit, Python's own and
    those for threads. The user's tokens and passwords stay here.

    Args:
        module: The module whose ``main`` is the supervisor.
        arguments: The arguments of ``main``.
        lock: The lock that the supervisor will hold. Closed here in any case; this process would hold it for the rest
            of its life otherwise.
        folder: Where its output is written, to ``supervisor.log``.
    """
    try:
        with open(folder / _LOG, "ab", opener=open_privately) as log:
            process = subprocess.Popen(
                [sys.executable, "-m", _GUARD, module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                cwd=folder,
                pass_fds=(lock.fileno(),),
                start_new_session=True,
            )
    finally:
        lock.close()
    threading.Thread(target=process.wait, daemon=True, name=f"reaper-{process.pid}").start()
    return process.pid


def clean_environment() -> dict[str, str]:
    """Return the part of this environment that jobs and endpoints inherit: no credentials, no PYTHONPATH."""
    kept = {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("LC_")}
    return {**kept, **_NO_CREDENTIALS, "PYTHONUNBUFFERED": "1"}


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_PREFIXES)}
    path = filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return {**kept, "PYTHONPATH": os.pathsep.join(path)}


def last_words(folder: Path) -> str:
    """Return the exception that ended a supervisor, such as a full disk, as a sentence; empty if it was killed."""
    stream = open_regular(folder / _LOG)
    if stream is None:
        return ""
    with stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LAST_BYTES))
        lines = stream.read(_LAST_BYTES).decode("utf-8", "replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    return last and f" Its own log ends with: {last}"
