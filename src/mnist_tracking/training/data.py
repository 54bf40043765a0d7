"""
Handwritten digits as tensors in memory: read once, without an image library; batches are normalised when used.

The files and their format are described in :mod:`mnist_tracking.training.digit_files`.
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

#: Width and height of an image, in pixels.
IMAGE_SIZE = 28


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Split:
    """
    Images and their labels.

    Attributes:
        images: (N, 1, 28, 28) uint8 in 0..255, where 0 is background and 255 is ink.
        labels: (N,) int64 in 0..9.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        """Return a copy on *device*."""
        return Split(self.images.to(device), self.labels.to(device))

    def batches(self, batch_size: int) -> int:
        """
        Return the number of batches in one pass; the last one may be smaller.

        Raises:
            ConfigError: If the batch size is larger than the number of images.
        """
        if batch_size > len(self):
            raise ConfigError(f"batch_size={batch_size} is larger than the number of training images, {len(self)}.")
        return math.ceil(len(self) / batch_size)

    def part(self, rows: slice) -> "Split":
        """Return a view of the images and labels of *rows*."""
        return Split(self.images[rows], self.labels[rows])

    def take(self, index: Tensor) -> "Split":
        """Return the images and labels at *index*, (K,) int64, in that order."""
        return Split(self.images.index_select(0, index), self.labels.index_select(0, index))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class DigitData:
    """
    The data of a training run.

    Attributes:
        train: Images to train on.
        validation: Images used to choose the best epoch.
        test: Images used to score the chosen weights, once.
    """

    train: Split
    validation: Split
    test: Split

    def to(self, device: torch.device) -> "DigitData":
        """Return a copy on *device*."""
        return DigitData(self.train.to(device), self.validation.to(device), self.test.to(device))


def load_data(directory: Path, *, validation_fraction: float, generator: torch.Generator) -> DigitData:
    """
    Load the four files in *directory*, check them, and hold out validation images.

    Args:
        directory: The folder with the IDX files, raw or gzipped.
        validation_fraction: Share of the training images to hold out.
        generator: Random generator that selects them.

    Raises:
        DatasetError: If a file is missing, truncated or corrupt, or its content does not match its name.
    """
    directory = find_directory(Path(directory))
    contents = read_contents(directory)
    images, labels = _read_split(directory, "train", contents)
    tested = _read_split(directory, "test", contents)
    held_out = round(len(labels) * validation_fraction)
    if not 0 < held_out < len(labels):
        raise DatasetError(
            f"validation_fraction={validation_fraction:g} holds out {held_out} of {len(labels)} training images; "
            "training and validation need at least one each."
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
    Normalise pixels for the network.

    Args:
        pixels: Any shape, uint8 or float in 0..255.
        mean: Mean to subtract, on the scale of 0..1.
        std: Standard deviation to divide by, on the scale of 0..1.

    Returns:
        A float32 tensor of the same shape.
    """
    return pixels.to(torch.float32, copy=True).div_(255).sub_(mean).div_(std)


def _read_split(directory: Path, split: SplitName, contents: Mapping[str, bytes]) -> tuple[Pixels, Pixels]:
    """Return (N, 28, 28) images and (N,) labels, read-only."""
    images, labels = parse_split(directory, split, contents)
    if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        path = file_path(directory, FILES[split][0])
        raise DatasetError(
            f"{str(path)!r} contains images of {side(images.shape[1:])} pixels; expected {IMAGE_SIZE}x{IMAGE_SIZE}."
        )
    return images, labels


def _split(images: Pixels, labels: Pixels) -> Split:
    """Wrap arrays as tensors that share their memory."""
    return Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))
