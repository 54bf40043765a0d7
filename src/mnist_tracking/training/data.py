"""
Handwritten digits as tensors that stay in memory: read once, no image library; each batch is normalised when used.

Where the files lie and what they must hold is in :mod:`mnist_tracking.training.digit_files`.
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_tracking.errors import ConfigError, DatasetError
from mnist_tracking.training.digit_files import (
    FILES,
    MEAN,
    STD,
    SplitName,
    file_path,
    find_directory,
    parse_split,
    read_contents,
    side,
)
from mnist_tracking.training.idx import Pixels

__all__ = ["IMAGE_SIZE", "DigitData", "Split", "load_data", "normalise"]

#: Images are this many pixels wide and high.
IMAGE_SIZE = 28


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Split:
    """
    Images with their labels.

    Attributes:
        images: (N, 1, 28, 28) uint8, 0 for paper and 255 for ink.
        labels: (N,) int64 in 0..9.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        """Return the same split on *device*."""
        return Split(self.images.to(device), self.labels.to(device))

    def batches(self, batch_size: int) -> int:
        """
        Return how many batches the images make; the last one may be smaller.

        Raises:
            ConfigError: If a batch is larger than all of them.
        """
        if batch_size > len(self):
            raise ConfigError(
                f"The batch_size is {batch_size}, but there are {len(self)} training images; a batch holds at most all "
                "of them."
            )
        return math.ceil(len(self) / batch_size)

    def part(self, rows: slice) -> "Split":
        """Return a view of the images and labels of *rows*."""
        return Split(self.images[rows], self.labels[rows])

    def take(self, index: Tensor) -> "Split":
        """Return the images and labels at *index*, a (K,) int64 tensor, in that order."""
        return Split(self.images.index_select(0, index), self.labels.index_select(0, index))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class DigitData:
    """What one run needs: images to learn from, to choose the epoch by, and to score the choice on."""

    train: Split
    validation: Split
    test: Split

    def to(self, device: torch.device) -> "DigitData":
        """Return the same data on *device*."""
        return DigitData(self.train.to(device), self.validation.to(device), self.test.to(device))


def load_data(directory: Path, *, validation_fraction: float, generator: torch.Generator) -> DigitData:
    """
    Read and check the four files of *directory*, and hold out validation images.

    Args:
        directory: Holds the IDX files, raw or gzipped.
        validation_fraction: Share of the training images that is held out.
        generator: Decides which ones.

    Raises:
        DatasetError: If a file is missing, truncated, corrupt, or not what its name says.
    """
    directory = find_directory(Path(directory))
    contents = read_contents(directory)
    images, labels = _read_split(directory, "train", contents)
    tested = _read_split(directory, "test", contents)
    held_out = round(len(labels) * validation_fraction)
    if not 0 < held_out < len(labels):
        raise DatasetError(
            f"A validation fraction of {validation_fraction:g} of {len(labels)} training images leaves "
            f"{held_out} to validate on; both parts need at least one."
        )
    order = torch.randperm(len(labels), generator=generator).numpy()
    train, validation = order[held_out:], order[:held_out]
    return DigitData(
        train=_split(images.take(train, axis=0), labels.take(train)),
        validation=_split(images.take(validation, axis=0), labels.take(validation)),
        test=_split(tested[0].copy(), tested[1]),
    )


def normalise(pixels: Tensor, *, mean: float = MEAN, std: float = STD) -> Tensor:
    """
    Turn pixels into what the network reads.

    Args:
        pixels: Any shape, 0..255, uint8 or float.
        mean: Subtracted, on the scale of 0..1.
        std: Divided by, on the scale of 0..1.

    Returns:
        The same shape, float32.
    """
    return pixels.to(torch.float32, copy=True).div_(255).sub_(mean).div_(std)


def _read_split(directory: Path, split: SplitName, contents: Mapping[str, bytes]) -> tuple[Pixels, Pixels]:
    """Return (N, 28, 28) images and (N,) labels, read-only."""
    images, labels = parse_split(directory, split, contents)
    if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        path = file_path(directory, FILES[split][0])
        raise DatasetError(
            f"{str(path)!r} holds images of {side(images.shape[1:])} pixels; {IMAGE_SIZE}x{IMAGE_SIZE} are expected."
        )
    return images, labels


def _split(images: Pixels, labels: Pixels) -> Split:
    """Wrap images that are nobody else's."""
    return Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))
