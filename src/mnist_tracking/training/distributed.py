"""Training by several processes, on several hosts or on one: torch's DistributedDataParallel."""

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

_PATIENCE_S = 300.0  # hosts do not start at the same moment, and each fetches its data first
_LAST_S = 1.0  # a process that lost another ends this much later, so that it is known which one ended first
_ONE_BUCKET_MB = 1 << 14  # more than all gradients, so that they are sent together


def choose_backend(wish: str | None, device: torch.device, *, local_rank: int = 0) -> str:
    """
    Return how processes talk: as *wish* says, or by nccl between GPUs and by gloo between CPUs.

    Raises:
        ConfigError: If it does not fit the device, or several processes would share a GPU and talk by nccl.
    """
    backend = wish or ("nccl" if device.type == "cuda" else "gloo")
    if backend != "nccl":
        return backend
    if device.type != "cuda":
        raise ConfigError(
            f"The hyperparameter 'backend' is 'nccl', which needs a GPU for each process, but the device is "
            f"{device.type!r}; 'gloo' needs none."
        )
    if local_rank >= (there := torch.cuda.device_count()):
        raise ConfigError(
            f"Process {local_rank} of this host has no GPU of its own, as 'nccl' needs: there are {there}. "
            "Start fewer processes, or set the hyperparameter 'backend' to 'gloo'."
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
    Meet the other processes, and leave them at the end; alone, do nothing.

    Args:
        membership: What this process is a member of.
        backend: How they talk: ``"gloo"`` or ``"nccl"``.
        device: What this process computes on.
        facts: What must be the same for all of them, by name; plain values.
        patience_s: How long to wait for another process, here and whenever it is asked something.

    Raises:
        ConfigError: If the processes do not fit together.
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
    except (StoppedError, DivergedError):  # all processes raise these at the same moment
        group.leave()
        raise
    except RuntimeError as exc:
        if not _is_of_network(exc):
            raise
        time.sleep(_LAST_S)
        raise ProcessLostError(
            f"Another of the {membership.size} processes ended, or cannot be reached any more: {gist(exc)}. "
            "Its own log says why."
        ) from exc
    group.leave()  # after an error of this one alone the others shall hear of its end, not before


def _is_of_network(error: RuntimeError) -> bool:
    """Tell errors of nccl, which are of a class of their own, and of gloo, which name their place in its source."""
    return isinstance(error, dist.DistError) or "/gloo/" in str(error)


class _TorchGroup:
    """Several processes."""

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
        End the connections.

        What adds the gradients up goes first, which holds on to them: were it the last to do so, their threads would
        be waited for with Python's lock held, which they may want, and the process would hang.
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
        Add the gradients up; DistributedDataParallel would take their mean, but each is of a part of one batch.

        In the order of the weights, whatever the order in the bucket, which changes after the first step: more than
        two numbers are added in an order that depends on their place, and a resumed run has another first step.
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
