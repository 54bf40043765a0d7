"""The arithmetic of the layers: fp32, or bf16 where the processor has it."""

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["arithmetic"]


def arithmetic(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """
    Return a context in which layers compute in *precision*.

    Weights, sums, losses and log-probabilities stay fp32; in bf16 the products have 8 bits of precision.

    Args:
        precision: ``"fp32"`` or ``"bf16"``.
        device: Where.
    """
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
