"""Connect the processes that train together, and check that they are configured alike."""

import datetime
import json
import re
import socket
import time
from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch.distributed import Store  # type: ignore[attr-defined]  # it is documented there
from torch.distributed.rendezvous import rendezvous as torch_rendezvous

from mnist_tracking.errors import ConfigError, ProcessLostError
from mnist_tracking.training.membership import Membership

__all__ = ["gist", "rendezvous"]

_PAUSE_S = 0.1  # between two attempts to reach the first process


def rendezvous(membership: Membership, *, backend: str, facts: Mapping[str, object], patience_s: float) -> None:
    """
    Initialise torch's process group, after all processes have connected and compared their settings.

    Args:
        membership: This process's place in the group.
        backend: Communication backend.
        facts: Plain values that must be equal in all processes, by name.
        patience_s: How long to wait for the other processes.

    Raises:
        ConfigError: If the processes are configured differently.
        ProcessLostError: If another process cannot be reached.
    """
    rank, size, place = membership.rank, membership.size, membership.place
    timeout = datetime.timedelta(seconds=patience_s)
    try:
        if rank:
            _reach(membership.host, membership.port, patience_s)
        store, _, _ = next(torch_rendezvous(f"tcp://{place}", rank, size, timeout=timeout))
        _compare(store, membership, {**facts, "backend": backend, "torch": torch.__version__})
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
    except (RuntimeError, OSError) as exc:
        raise ProcessLostError(
            f"Process {rank} of {size} could not connect to the others at {place} within {patience_s:g} s: {gist(exc)}."
        ) from exc


def gist(error: Exception) -> str:
    """
    Return the first sentence of torch's message, without the location in its source code.

    Example:
        >>> gist(RuntimeError("[gloo/pair.cc:538] Connection closed by peer [127.0.0.1]:80. This may ..."))
        'Connection closed by peer [127.0.0.1]:80'
    """
    said = (isinstance(error, OSError) and error.strerror) or str(error)
    return re.sub(r"^\[[^]]*\] ", "", said.partition("\n")[0]).partition(". ")[0].rstrip(".")


def _reach(host: str, port: int, patience_s: float) -> None:
    """Wait until the first process listens; torch would wait, too, but logs every attempt at length."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            socket.create_connection((host, port), timeout=max(_PAUSE_S, deadline - time.monotonic())).close()
        except OSError:
            if time.monotonic() + _PAUSE_S >= deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _compare(store: Store, membership: Membership, facts: Mapping[str, object]) -> None:
    """Reject processes that would compute different things, or wait for each other forever."""
    store.set(f"facts/{membership.rank}", json.dumps(dict(facts)))
    for other in range(membership.size):
        theirs = json.loads(store.get(f"facts/{other}"))
        for name, value in facts.items():
            if theirs.get(name) != value:
                raise ConfigError(
                    f"Process {membership.rank} has {name} {value!r}, but process {other} has {theirs.get(name)!r}; "
                    "it must be equal in all processes."
                )
