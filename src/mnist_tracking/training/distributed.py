"""
Training by several processes, on several hosts or on one: torch's DistributedDataParallel.

Who takes part is in the environment: as ``torchrun`` sets it (``RANK``, ``WORLD_SIZE``), or as SageMaker does
(``SM_HOSTS``, ``SM_CURRENT_HOST``). ``MASTER_ADDR`` and ``MASTER_PORT`` say where they meet.
"""

import dataclasses
import datetime
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.world import ALONE, World

__all__ = ["Membership", "find_membership", "joined"]

_PORT = "7777"  # where SageMaker's PyTorch containers meet
_TIMEOUT = datetime.timedelta(minutes=5)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """
    Which of how many processes this one is.

    Attributes:
        rank: Of all processes, from 0.
        size: All processes.
        local_rank: Of those on this host, from 0; it says which GPU is this one's.
        master: Where they meet: host and port.
    """

    rank: int
    size: int
    local_rank: int
    master: str


def find_membership(*, hosts: str, current_host: str | None, environment: Mapping[str, str]) -> Membership | None:
    """
    Return what this process is a member of, or None if it is alone.

    Args:
        hosts: The names of SageMaker's hosts, as JSON.
        current_host: The name of this one.
        environment: The variables of ``torchrun`` win over SageMaker's.

    Raises:
        ConfigError: If what is said makes no sense.
    """
    names = _host_names(hosts)
    if "WORLD_SIZE" in environment and "RANK" in environment:
        rank, size = (_whole_number(name, environment) for name in ("RANK", "WORLD_SIZE"))
        local_rank = _whole_number("LOCAL_RANK", environment) if "LOCAL_RANK" in environment else 0
    else:
        rank, size, local_rank = _place(current_host, names), len(names), 0
    if size <= 1:
        return None
    if not 0 <= rank < size:
        raise ConfigError(f"RANK is {rank}, but there are {size} processes, counted from 0.")
    host = environment.get("MASTER_ADDR") or (sorted(names)[0] if names else "127.0.0.1")
    master = f"{host}:{environment.get('MASTER_PORT') or _PORT}"
    return Membership(rank=rank, size=size, local_rank=local_rank, master=master)


def _host_names(hosts: str) -> list[str]:
    try:
        names = json.loads(hosts)
    except ValueError as exc:
        raise ConfigError(f"The list of hosts {hosts!r} is not JSON.") from exc
    if not isinstance(names, list):
        raise ConfigError(f"The list of hosts {hosts!r} is not a list.")
    return names


def _place(host: str | None, names: list[str]) -> int:
    if len(names) <= 1:
        return 0
    if host is None or host not in names:
        raise ConfigError(f"The current host is {host!r}, which is none of the hosts {names}.")
    return names.index(host)


def _whole_number(name: str, environment: Mapping[str, str]) -> int:
    try:
        return int(environment[name])
    except ValueError:
        raise ConfigError(f"{name} is {environment[name]!r}; a whole number is needed.") from None


@contextmanager
def joined(membership: Membership | None, *, backend: str | None, device: torch.device) -> Iterator[World]:
    """
    Meet the other processes, and leave them at the end; alone, do nothing.

    Args:
        membership: What this process is a member of.
        backend: How they talk: ``"gloo"`` or ``"nccl"``; by default what fits the device.
        device: What this process computes on.

    Raises:
        ConfigError: If the backend does not fit the device, or the others cannot be reached.
    """
    if membership is None:
        yield ALONE
        return
    import torch.distributed as dist

    backend = backend or ("nccl" if device.type == "cuda" else "gloo")
    if backend == "nccl" and device.type != "cuda":
        raise ConfigError(
            "The hyperparameter 'backend' is 'nccl', which needs a GPU for each process; 'gloo' needs none."
        )
    try:
        dist.init_process_group(
            backend,
            init_method=f"tcp://{membership.master}",
            rank=membership.rank,
            world_size=membership.size,
            timeout=_TIMEOUT,
        )
    except (RuntimeError, ValueError) as exc:
        raise ConfigError(f"The other processes cannot be met at {membership.master}: {exc}") from exc
    try:
        yield _Group(membership, device)
    finally:
        dist.destroy_process_group()


class _Group:
    """Several processes."""

    def __init__(self, membership: Membership, device: torch.device) -> None:
        self.rank, self.size, self._device = membership.rank, membership.size, device

    def wrap(self, model: nn.Module) -> nn.Module:
        parallel = nn.parallel.DistributedDataParallel(model)
        parallel.register_comm_hook(None, _add_up)
        return parallel

    def sum(self, tensor: Tensor) -> Tensor:
        import torch.distributed as dist

        total = tensor.clone()
        dist.all_reduce(total)
        return total

    def any(self, flag: bool) -> bool:
        return bool(self.sum(torch.tensor(int(flag), device=self._device)))


def _add_up(_state: object, bucket: Any) -> "torch.futures.Future[Tensor]":
    """Add the gradients up; DistributedDataParallel would take their mean, but each is of a part of one batch."""
    import torch.distributed as dist

    work = dist.all_reduce(bucket.buffer(), async_op=True)
    future: torch.futures.Future[Tensor] = work.get_future().then(lambda done: done.value()[0])
    return future
