"""
Which of several processes this one is: as ``torchrun`` says, or SageMaker. Standard library only.

``torchrun`` sets ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK``; SageMaker names the hosts of a job and this one
(``SM_HOSTS``, ``SM_CURRENT_HOST``), with one process on each. ``MASTER_ADDR`` and ``MASTER_PORT`` say where they meet.
"""

import dataclasses
import json
from collections.abc import Mapping

from mnist_tracking.errors import ConfigError

__all__ = ["Membership", "find_membership"]

_PORT = 7777  # where SageMaker's PyTorch containers meet


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """
    Which of how many processes this one is.

    Attributes:
        rank: Of all processes, from 0.
        size: All processes.
        local_rank: Of those on this host, from 0; it says which GPU is this one's.
        host: Where they meet: the host of the first process.
        port: And the port there.
    """

    rank: int
    size: int
    local_rank: int
    host: str
    port: int

    @property
    def place(self) -> str:
        """Where they meet, as a URL has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def find_membership(*, hosts: str, current_host: str | None, environment: Mapping[str, str]) -> Membership | None:
    """
    Return what this process is a member of, or None if it is alone.

    Args:
        hosts: The names of SageMaker's hosts, as JSON.
        current_host: The name of this one.
        environment: The variables of ``torchrun`` win over SageMaker's.

    Raises:
        ConfigError: If what is said makes no sense.

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
        raise ConfigError(f"The list of hosts {hosts!r} is not a list of names.")
    if len(set(names)) < len(names):
        raise ConfigError(f"The list of hosts {hosts!r} has a name twice.")
    return names


def _rank(host: str | None, names: list[str], master: str) -> int:
    """Return the place of *host* among *names*; the one where all meet must be the first."""
    if len(names) <= 1:
        return 0
    if host is None or host not in names:
        raise ConfigError(f"The current host is {host!r}, which is none of the hosts {names}.")
    return sorted(names, key=lambda name: name != master).index(host)


def _number(name: str, environment: Mapping[str, str], *, least: int, most: int | None = None) -> int:
    value = environment[name]
    number = int(value) if value.isdecimal() else -1
    if number < least or (most is not None and number > most):
        limits = f"at least {least}" if most is None else f"in {least}..{most}"
        raise ConfigError(f"{name} is {value!r}, but must be a whole number {limits}.")
    return number
