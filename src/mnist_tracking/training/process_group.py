"""
Groups of processes that train one model together.

All processes have the same weights, use the same order of images and draw the same random numbers; each computes a
part of every batch. The sums over all processes are therefore equal to the results of a single process.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

__all__ = ["ALONE", "Alone", "ProcessGroup", "Share", "share_of"]


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """
    The part of a batch that one process computes.

    Attributes:
        start: Index of its first image in the batch.
        stop: Index after its last image.
        total: Number of images in the batch.
    """

    start: int
    stop: int
    total: int

    @property
    def rows(self) -> slice:
        """The part, as a slice of the batch."""
        return slice(self.start, self.stop)


class ProcessGroup(Protocol):
    """
    The processes that train one model together.

    Every process must call the same methods in the same order, as each call waits for the other processes.

    Attributes:
        rank: Rank of this process, from 0; rank 0 logs and writes files.
        size: Number of processes.
    """

    rank: int
    size: int

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return a module that computes the same as *model* and sums the gradients of all processes."""

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of *tensor* (any shape, dtype and range) over all processes."""

    def largest(self, number: int) -> int:
        """Return the largest *number* among all processes."""

    def from_first(self, content: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the *content* passed by the process of rank 0: plain values, and tensors on the CPU."""


class Alone:
    """A group of one process."""

    rank = 0
    size = 1

    def wrap(self, model: nn.Module) -> nn.Module:
        return model

    def sum(self, tensor: Tensor) -> Tensor:
        return tensor

    def largest(self, number: int) -> int:
        return number

    def from_first(self, content: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return content


ALONE: ProcessGroup = Alone()


def share_of(group: ProcessGroup, total: int) -> Share:
    """Return this process's part of *total* images; parts differ by at most one image, and may be empty."""
    return Share(total * group.rank // group.size, total * (group.rank + 1) // group.size, total)
