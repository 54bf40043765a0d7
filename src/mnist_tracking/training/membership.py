"""
Find this process's place among several, from ``torchrun``'s or SageMaker's settings. Standard library only.

``torchrun`` sets ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK``; SageMaker names the hosts of a job and this one
(``SM_HOSTS``, ``SM_CURRENT_HOST``), with one process on each. The address of
the first process is in ``MASTER_ADDR`` and ``MASTER_PORT``.
"""

import dataclasses
import json
from collections.abc import Mapping

from mnist_tracking.errors import ConfigError

__all__ = ["Membership", "find_membership"]

_PORT = 7777  # the port that SageMaker's PyTorch containers use


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """
    A process's place in a process group.

    Attributes:
        rank: Rank among all processes, from 0.
        size: Number of processes.
        local_rank: Rank among the processes on this host, from 0; selects the GPU.
        host: Host of the first process, which the others connect to.
        port: Port on that host.
    """

    rank: int
    size: int
    local_rank: int
    host: str
    port: int

    @property
    def place(self) -> str:
        """Host and port of the first process, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def find_membership(*, hosts: str, current_host: str | None, environment: Mapping[str, str]) -> Membership | None:
    """
    Return this process's membership, or None for a single process.

    Args:
        hosts: Names of SageMaker's hosts, as a JSON list.
        current_host: Name of this host.
        environment: Environment variables; those of ``torchrun`` take precedence over *hosts*.

    Raises:
        ConfigError: If a value is invalid or inconsistent.

    Example:
        >>> here = find_membership(hosts='["algo-1", "algo-2"]', current_host="algo-2", environment={})
        >>> here.rank, here.size, here.place
        (1, 2, 'algo-1:7777')
    """
    names = _host_names(hosts)
    master = environment.get("MASTER_ADDR") or (names[0] if names else "127.0.0.1")
    if "WORLD_SIZE" in environment and "RANK" in environment:
        size = _number("WORLD_SIZE", environment, least=1)
        rank = _number("RANK", environment, least=0, most=size - 1)
        local_rank = _number("LOCAL_RANK", environment, least=0, most=rank) if "LOCAL_RANK" in environment else 0
    else:
        rank, size, local_rank = _rank(current_host, names, master), len(names), 0
    if size <= 1:
        return None
    port = _number("MASTER_PORT", environment, least=1, most=65535) if environment.get("MASTER_PORT") else _PORT
    return Membership(rank=rank, size=size, local_rank=local_rank, host=master, port=port)


def _host_names(hosts: str) -> list[str]:
    try:
        names = json.loads(hosts)
    except ValueError as exc:
        raise ConfigError(f"The list of hosts {hosts!r} is not JSON.") from exc
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"The list of hosts {hosts!r} is not a JSON list of strings.")
    if len(set(names)) < len(names):
        raise ConfigError(f"The list of hosts {hosts!r} contains a duplicate name.")
    return names


def _rank(host: str | None, names: list[str], master: str) -> int:
    """Return the rank of *host* among *names*; *master* has rank 0."""
    if len(names) <= 1:
        return 0
    if host is None or host not in names:
        raise ConfigError(f"The current host {host!r} is not one of the hosts {names}.")
    return sorted(names, key=lambda name: name != master).index(host)


def _number(name: str, environment: Mapping[str, str], *, least: int, most: int | None = None) -> int:
    value = environment[name]
    number = int(value) if value.isdecimal() else -1
    if number < least or (most is not None and number > most):
        limits = f"at least {least}" if most is None else f"in {least}..{most}"
        raise ConfigError(f"{name}={value!r}; expected a whole number {limits}.")
    return number
