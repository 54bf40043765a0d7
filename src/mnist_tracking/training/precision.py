"""Precision of the layers' arithmetic: fp32, or bf16 on processors that support it."""

import platform
from collections.abc import Mapping
from types import MappingProxyType

import torch

from mnist_tracking.errors import ConfigError

__all__ = ["DTYPES", "check_precision", "has_bf16"]

#: The dtype of images, and so of the convolutions, by precision. Weights, linear layers, losses and log-probabilities
#: are always fp32.
DTYPES: Mapping[str, torch.dtype] = MappingProxyType({"fp32": torch.float32, "bf16": torch.bfloat16})


def check_precision(precision: str, device: torch.device, *, native: bool) -> None:
    """
    Reject bf16 on processors without native support, where torch's emulation is slower than fp32.

    Args:
        precision: ``"fp32"`` or ``"bf16"``.
        device: The device to compute on.
        native: The result of `has_bf16` for *device*.

    Raises:
        ConfigError: If the device does not support the precision.
    """
    if precision == "bf16" and not native:
        raise ConfigError(
            f"precision='bf16' is not supported: this {device.type} ({platform.machine()}) has no bf16 instructions, "
            "and emulating them is slower than 'fp32'. Use 'fp32'."
        )


def has_bf16(device: torch.device) -> bool:
    """Return whether *device* supports bf16 arithmetic natively."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if platform.machine() in ("x86_64", "AMD64"):  # oneDNN reports emulated support as support
        return bool(torch.cpu._is_avx512_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) if torch.backends.mkldnn.enabled else False
