"""One seed, and a generator of its own for every use of chance, so that no use disturbs another."""

from typing import Literal

import torch

__all__ = ["Purpose", "seeded"]

Purpose = Literal["split", "weights", "order", "dropout"]
_PURPOSES: tuple[Purpose, ...] = ("split", "weights", "order", "dropout")


def seeded(seed: int, purpose: Purpose, *, device: torch.device | None = None) -> torch.Generator:
    """Return the generator that *seed* gives for *purpose*; no two seeds and purposes share one."""
    generator = torch.Generator(device=device or torch.device("cpu"))
    return generator.manual_seed(seed * len(_PURPOSES) + _PURPOSES.index(purpose))
