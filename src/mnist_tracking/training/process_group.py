"""
The processes that train one model together, of which this is one.

Every process has the same weights, sees the same order of images and draws the same random numbers; it computes a
part of each batch. So the sums over all processes are what one process alone would have computed.
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
        start: Its first image.
        stop: The one after its last.
        total: The images of the whole batch.
    """

    start: int
    stop: int
    total: int

    @property
    def rows(self) -> slice:
        """The part as a slice of the batch."""
        return slice(self.start, self.stop)


class ProcessGroup(Protocol):
    """
    The processes that train together. What one asks of the others, all of them must ask, in the same order.

    Attributes:
        rank: Which one this is, from 0; the first one logs and writes.
        size: How many there are.
    """

    rank: int
    size: int

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return what computes as *model* does, and adds the gradients of all processes up."""

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of *tensor* over all processes."""

    def largest(self, number: int) -> int:
        """Return the largest *number* of all processes."""

    def from_first(self, content: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the *content* of the first process; plain values and tensors on the CPU."""


class Alone:
    """One process: the whole group."""

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
    """Return the part of *total* images that this process of *group* computes; all but equal, and maybe empty."""
    return Share(total * group.rank // group.size, total * (group.rank + 1) // group.size, total)
