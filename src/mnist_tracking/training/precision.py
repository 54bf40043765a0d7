"""The arithmetic of the layers: fp32, or bf16 where the processor has it."""

import platform
from collections.abc import Mapping
from types import MappingProxyType

import torch

from mnist_tracking.errors import ConfigError

__all__ = ["DTYPES", "check_precision", "has_bf16"]

#: What images are turned into for the convolutions to compute in a precision; weights, the linear layers, losses and
#: log-probabilities stay fp32.
DTYPES: Mapping[str, torch.dtype] = MappingProxyType({"fp32": torch.float32, "bf16": torch.bfloat16})


def check_precision(precision: str, device: torch.device, *, native: bool) -> None:
    """
    Refuse bf16 where the processor has no instructions for it: torch would emulate them, slower than fp32.

    Args:
        precision: ``"fp32"`` or ``"bf16"``.
        device: Where.
        native: What `has_bf16` says of the device.

    Raises:
        ConfigError: If the precision is not to be had.
    """
    if precision == "bf16" and not native:
        raise ConfigError(
            f"The hyperparameter 'precision' is 'bf16', but the {device.type} here ({platform.machine()}) has no "
            "instructions for it, and without them it is slower than 'fp32', which will do."
        )


def has_bf16(device: torch.device) -> bool:
    """Return whether *device* multiplies bf16 numbers by instructions of its own."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if platform.machine() in ("x86_64", "AMD64"):  # where oneDNN says yes to what it would only emulate
        return bool(torch.cpu._is_avx512_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) if torch.backends.mkldnn.enabled else False
