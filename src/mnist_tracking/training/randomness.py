"""Random generators derived from one seed: one for each purpose, so that they do not affect each other."""

import hashlib
from typing import Literal, TypeAlias

import torch

__all__ = ["Purpose", "seeded"]

Purpose: TypeAlias = Literal["split", "weights", "order", "shift", "dropout"]


def seeded(seed: int, purpose: Purpose, *, epoch: int = 0, device: torch.device | None = None) -> torch.Generator:
    """
    Return the generator for *seed*, *purpose* and *epoch*.

    Each epoch's order has its own generator, so that a run can resume in any epoch without replaying earlier ones.
    """
    digest = hashlib.sha256(f"{seed} {purpose} {epoch}".encode()).digest()
    generator = torch.Generator(device=device or torch.device("cpu"))
    return generator.manual_seed(int.from_bytes(digest[:8], "little", signed=True))
