"""One seed, and a generator of its own for every use of chance, so that no use disturbs another."""

import hashlib
from typing import Literal, TypeAlias

import torch

__all__ = ["Purpose", "seeded"]

Purpose: TypeAlias = Literal["split", "weights", "order", "shift", "dropout"]


def seeded(seed: int, purpose: Purpose, *, epoch: int = 0, device: torch.device | None = None) -> torch.Generator:
    """
    Return the generator that *seed* gives for *purpose*; other seeds, purposes and epochs give others.

    Each epoch's order has its own, so that an epoch can be taken up anywhere without going through those before.
    """
    digest = hashlib.sha256(f"{seed} {purpose} {epoch}".encode()).digest()
    generator = torch.Generator(device=device or torch.device("cpu"))
    return generator.manual_seed(int.from_bytes(digest[:8], "little", signed=True))
