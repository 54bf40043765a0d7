"""Training images moved by a few pixels, each by its own step: more images to learn from, and still digits."""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["draw_shifts", "shift_images"]


def draw_shifts(count: int, *, reach: int, generator: torch.Generator) -> Tensor:
    """Draw how far each of *count* images moves down and to the right: (count, 2) int64 in -reach..reach."""
    return torch.randint(-reach, reach + 1, (count, 2), generator=generator)


def shift_images(images: Tensor, shifts: Tensor, *, reach: int) -> Tensor:
    """
    Move each image by its own shift; what moves in from outside is 0.

    Args:
        images: (N, 1, H, W), of any type.
        shifts: (N, 2) int64, how far down and to the right, in -reach..reach.
        reach: The largest shift.

    Returns:
        (N, 1, H, W), of the same type.

    Example:
        >>> image = torch.tensor([[[[1, 2], [3, 4]]]])
        >>> shift_images(image, torch.tensor([[1, 0]]), reach=1).tolist()
        [[[[0, 0], [1, 2]]]]
    """
    height, width = images.shape[2:]
    padded = functional.pad(images, (reach,) * 4)  # (N, 1, H + 2 * reach, W + 2 * reach)
    stride = padded.shape[3]
    rows = torch.arange(height, device=images.device) * stride
    corner = rows.view(-1, 1) + torch.arange(width, device=images.device)  # (H, W), where an unmoved corner would be
    start = (reach - shifts[:, 0]) * stride + (reach - shifts[:, 1])  # (N,)
    index = start.view(-1, 1) + corner.view(1, -1)  # (N, H * W)
    return padded.flatten(1).gather(1, index).view(images.shape)
