"""
What jobs may use of this machine: processors are shared among the jobs that may run at once, GPUs are slots.

A job has its GPUs from its start to its end; its row in the store shows which. So all programs that use a home share
them, and they are free again when the end of the job is recorded, however it ended.
"""

import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import attrs

from mnist_tracking.embedded.jobs.hosts import hosts_of

_NVIDIA_S = 20.0  # that nvidia-smi may take; without its daemon, it has to wake the GPUs
_UUID = re.compile(r"^GPU \d+: .*\(UUID: (GPU-[^)]+)\)", re.MULTILINE)
_GPU_TYPE = re.compile(r"ml\.([gp]\d[a-z0-9-]*)\.(\w+)")
_GRAPHICS = {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8, "metal": 8}  # GPUs of the sizes that have several
_LARGE: Mapping[str, Mapping[str, int]] = {
    "p2": {"8xlarge": 8, "16xlarge": 16},
    "p3": {"8xlarge": 4, "16xlarge": 8},
    "p6e-gb200": {"36xlarge": 4},
    "g7e": {"12xlarge": 2, "24xlarge": 4, "48xlarge": 8},
}
_RUNNING = "SELECT gpus FROM training_jobs WHERE status IN ('InProgress', 'Stopping') AND started IS NOT NULL"
_EARLIER = "SELECT 1 FROM training_jobs WHERE status = 'InProgress' AND started IS NULL AND id < ? LIMIT 1"


def _as_tuple(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)


@attrs.frozen
class Machine:
    """
    What an engine lets its jobs use.

    Attributes:
        cpus: The number of processors.
        gpus: The GPUs, as ``CUDA_VISIBLE_DEVICES`` names them.
        max_jobs: How many jobs may run at once; None for any number.
    """

    cpus: int = 1
    gpus: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple)
    max_jobs: int | None = None

    def threads(self, hosts: int) -> int | None:
        """Return the share of the processors of each host of a job; None if any number of jobs may run at once."""
        return None if self.max_jobs is None else max(1, self.cpus // self.max_jobs // hosts)

    def wanted(self, request: Mapping[str, Any]) -> dict[str, int]:
        """
        Return the number of GPUs of each host of a job: as many as its instance has on AWS, or an equal share.

        Example:
            >>> two_hosts = {"ResourceConfig": {"InstanceType": "ml.g5.12xlarge", "InstanceCount": 2}}
            >>> Machine(gpus=("0", "1", "2", "3")).wanted(two_hosts)
            {'algo-1': 2, 'algo-2': 2}
        """
        hosts = hosts_of(dict(request))
        with_gpus = sum(1 for host in hosts if gpus_of(host.instance_type))
        return {host.name: min(gpus_of(host.instance_type), len(self.gpus) // max(with_gpus, 1)) for host in hosts}


def gpus_of(instance_type: str) -> int:
    """
    Return how many GPUs an instance type has on AWS.

    Example:
        >>> [gpus_of(each) for each in ("ml.m5.xlarge", "ml.g5.xlarge", "ml.g5.12xlarge", "ml.p4d.24xlarge")]
        [0, 1, 4, 8]
    """
    found = _GPU_TYPE.fullmatch(instance_type)
    if found is None:
        return 0
    family, size = found.groups()
    sizes = _LARGE.get(family, _GRAPHICS if family[0] == "g" else {"24xlarge": 8, "48xlarge": 8})
    return sizes.get(size, 1)


def find_cpus() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_gpus(count: int | None = None) -> tuple[str, ...]:
    """
    Return the GPUs that this process may use: those in ``CUDA_VISIBLE_DEVICES``, or those that ``nvidia-smi`` lists.

    With a *count*, it returns that many: numbers, if this machine names fewer GPUs.
    """
    if count == 0:
        return ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = _listed() if visible is None else _named(visible)
    if count is None:
        return found
    return found[:count] if len(found) >= count else tuple(map(str, range(count)))


def _named(visible: str) -> tuple[str, ...]:
    """Return the GPUs of ``CUDA_VISIBLE_DEVICES``: those before the first invalid one, as CUDA reads it."""
    names = (name.strip() for name in visible.split(","))
    return tuple(itertools.takewhile(lambda name: name and not name.startswith("-"), names))


@cache
def _listed() -> tuple[str, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        shown = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=_NVIDIA_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()  # its driver does not work: neither would CUDA
    return tuple(_UUID.findall(shown.stdout))


def free_gpus(connection: sqlite3.Connection, job_id: int, machine: Machine, count: int) -> tuple[str, ...] | None:
    """
    Return *count* GPUs that a job can have now; None if it must wait: jobs start in the order of their creation.

    Only jobs that use GPUs, or all if their number is limited, wait for each other.
    """
    if not count and machine.max_jobs is None:
        return ()
    running = [json.loads(row["gpus"] or "[]") for row in connection.execute(_RUNNING)]
    taken = set(itertools.chain.from_iterable(running))
    free = tuple(gpu for gpu in machine.gpus if gpu not in taken)
    is_full = machine.max_jobs is not None and len(running) >= machine.max_jobs
    is_next = connection.execute(_EARLIER, (job_id,)).fetchone() is None
    return free[:count] if is_next and not is_full and len(free) >= count else None


def by_host(gpus: tuple[str, ...], wanted: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """
    Return the GPUs of each host.

    Example:
        >>> by_host(("3", "5"), {"algo-1": 1, "algo-2": 1})
        {'algo-1': ('3',), 'algo-2': ('5',)}
    """
    left = iter(gpus)
    return {host: tuple(itertools.islice(left, count)) for host, count in wanted.items()}
