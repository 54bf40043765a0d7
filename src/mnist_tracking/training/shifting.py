"""Augment training images by random shifts of a few pixels."""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["draw_shifts", "shift_images"]


def draw_shifts(count: int, *, reach: int, generator: torch.Generator) -> Tensor:
    """Draw a random shift, down and to the right, for each image: (count, 2) int64 in -reach..reach."""
    return torch.randint(-reach, reach + 1, (count, 2), generator=generator)


def shift_images(images: Tensor, shifts: Tensor, *, reach: int) -> Tensor:
    """
    Shift each image by its own offset; pixels from outside the image are 0.

    Args:
        images: (N, 1, H, W), any dtype and range.
        shifts: (N, 2) int64 in -reach..reach, pixels down and to the right.
        reach: The largest shift.

    Returns:
        (N, 1, H, W), of the same dtype.

    Example:
        >>> image = torch.tensor([[[[1, 2], [3, 4]]]])
        >>> shift_images(image, torch.tensor([[1, 0]]), reach=1).tolist()
        [[[[0, 0], [1, 2]]]]
    """
    height, width = images.shape[2:]
    padded = functional.pad(images, (reach,) * 4)  # (N, 1, H + 2 * reach, W + 2 * reach)
    stride = padded.shape[3]
    rows = torch.arange(height, device=images.device) * stride
    corner = rows.view(-1, 1) + torch.arange(width, device=images.device)  # (H, W), offsets from the top left corner
    start = (reach - shifts[:, 0]) * stride + (reach - shifts[:, 1])  # (N,)
    index = start.view(-1, 1) + corner.view(1, -1)  # (N, H * W)
    return padded.flatten(1).gather(1, index).view(images.shape)
