"""Training in several processes, on one host or several, with torch's DistributedDataParallel."""

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]  # it is documented there

from mnist_tracking.errors import ConfigError, DivergedError, ProcessLostError, StoppedError
from mnist_tracking.training.membership import Membership
from mnist_tracking.training.process_group import ALONE, ProcessGroup
from mnist_tracking.training.rendezvous import gist, rendezvous

__all__ = ["choose_backend", "joined"]

_PATIENCE_S = 300.0  # hosts start at different times, and each downloads its data first
_LAST_S = 1.0  # wait before ending after losing another process, so that the logs show which one ended first
_ONE_BUCKET_MB = 1 << 14  # larger than all gradients together, so that they are sent at once


def choose_backend(wish: str | None, device: torch.device, *, local_rank: int = 0) -> str:
    """
    Return the communication backend: *wish* if given, else nccl for GPUs and gloo for CPUs.

    Raises:
        ConfigError: If the backend does not support the device, or nccl processes would share a GPU.
    """
    backend = wish or ("nccl" if device.type == "cuda" else "gloo")
    if backend != "nccl":
        return backend
    if device.type != "cuda":
        raise ConfigError(
            f"backend='nccl' needs a GPU for each process, but the device is {device.type!r}. Use 'gloo'."
        )
    if local_rank >= (there := torch.cuda.device_count()):
        raise ConfigError(
            f"backend='nccl' needs a GPU for each process, but this is process {local_rank} (counted from 0) of a host "
            f"with {there}. Start fewer processes, or set the hyperparameter 'backend' to 'gloo'."
        )
    return backend


@contextmanager
def joined(
    membership: Membership | None,
    *,
    backend: str,
    device: torch.device,
    facts: Mapping[str, object],
    patience_s: float = _PATIENCE_S,
) -> Iterator[ProcessGroup]:
    """
    Join the process group, and leave it at the end of the block; a single process does nothing.

    Args:
        membership: This process's place in the group; None for a single process.
        backend: Communication backend, ``"gloo"`` or ``"nccl"``.
        device: The device this process computes on.
        facts: Plain values that must be equal in all processes, by name.
        patience_s: Timeout for joining and for every later exchange.

    Raises:
        ConfigError: If the processes are configured differently.
        ProcessLostError: If another process cannot be reached, or is lost later.
    """
    if membership is None:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    rendezvous(membership, backend=backend, facts=facts, patience_s=patience_s)
    group = _TorchGroup(membership, device)
    try:
        yield group
    except (StoppedError, DivergedError):  # all processes raise these at the same point
        group.leave()
        raise
    except RuntimeError as exc:
        if not _is_of_network(exc):
            raise
        time.sleep(_LAST_S)
        raise ProcessLostError(
            f"Lost the connection to another of the {membership.size} processes: {gist(exc)}. "
            "See that process's log for the cause."
        ) from exc
    group.leave()  # not after an error of this process alone: the others then notice that it ended


def _is_of_network(error: RuntimeError) -> bool:
    """Whether the error comes from nccl, which has its own class, or from gloo, which names its source file."""
    return isinstance(error, dist.DistError) or "/gloo/" in str(error)


class _TorchGroup:
    """A process group of several processes, on torch.distributed."""

    def __init__(self, membership: Membership, device: torch.device) -> None:
        self.rank, self.size, self._device = membership.rank, membership.size, device
        self._wrapped: list[nn.parallel.DistributedDataParallel] = []

    def wrap(self, model: nn.Module) -> nn.Module:
        parallel = nn.parallel.DistributedDataParallel(model, bucket_cap_mb=_ONE_BUCKET_MB)
        parallel.register_comm_hook(list(model.parameters()), self._add_gradients)
        self._wrapped.append(parallel)
        return parallel

    def leave(self) -> None:
        """
        Close the connections.

        The gradient reducers hold references to the connections and are dropped first. If they were the last to hold
        them, Python would join the connections' threads with the GIL held, which those may need: a deadlock.
        """
        for parallel in self._wrapped:
            parallel.logger = parallel.reducer = None  # type: ignore[assignment]
        dist.destroy_process_group()

    def sum(self, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    def largest(self, number: int) -> int:
        found = torch.tensor(number, device=self._device)
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return int(found)

    def from_first(self, content: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        packed = _pack(content) if self.rank == 0 else b""
        size = self.largest(len(packed))
        if not size:
            return None
        buffer = torch.frombuffer(bytearray(packed or size), dtype=torch.uint8).to(self._device)
        dist.broadcast(buffer, src=0)
        found: Mapping[str, Any] = torch.load(
            io.BytesIO(buffer.cpu().numpy().tobytes()), map_location="cpu", weights_only=True
        )
        return found

    def _add_gradients(self, weights: list[Tensor], bucket: GradBucket) -> torch.futures.Future[Tensor]:
        """
        Sum the gradients; DistributedDataParallel would average them, but each belongs to a part of one batch.

        They are sent in the order of the weights, since the order in the bucket changes after the first step. The
        order of additions depends on the position, and a resumed run has a different first step.
        """
        places = {id(weight): view for weight, view in zip(bucket.parameters(), bucket.gradients(), strict=True)}
        views = [places[id(weight)] for weight in weights if id(weight) in places]
        total = self.sum(torch.cat([view.flatten() for view in views]))
        for view, part in zip(views, torch.split(total, [view.numel() for view in views]), strict=True):
            view.copy_(part.view_as(view))
        future: torch.futures.Future[Tensor] = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future


def _pack(content: Mapping[str, Any] | None) -> bytes:
    if content is None:
        return b""
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    return buffer.getvalue()
