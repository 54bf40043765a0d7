"""
Handwritten digits as tensors that stay in memory: read once, normalised once, no image library.

A folder holds the four IDX files of MNIST, raw or gzipped, under their usual names, either directly or in
``MNIST/raw``, where torchvision puts them.
"""

import dataclasses
import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_tracking.errors import DatasetError

__all__ = ["IMAGE_SIZE", "MEAN", "STD", "DigitData", "Split", "load_data", "normalise", "read_idx"]

#: Mean and standard deviation of MNIST's training pixels, scaled to 0..1.
MEAN, STD = 0.1307, 0.3081
#: Images are this many pixels wide and high.
IMAGE_SIZE = 28
CLASSES = 10

_IMAGES, _LABELS = 3, 1  # an IDX file's number of dimensions is in its name and in its magic number
_UINT8 = 0x08


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Split:
    """
    Images with their labels.

    Attributes:
        images: (N, 1, 28, 28) float32, normalised.
        labels: (N,) int64 in 0..9.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        """Return the same split on *device*."""
        return Split(self.images.to(device), self.labels.to(device))

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
    Read, check and normalise the four files of *directory*, and hold out validation images.

    Args:
        directory: Holds the IDX files, raw or gzipped.
        validation_fraction: Share of the training images that is held out.
        generator: Decides which ones.

    Raises:
        DatasetError: If a file is missing, truncated, corrupt, or not what its name says.
    """
    folder = _idx_folder(Path(directory))
    pixels, labels = _read_part(folder, "train")
    held_out = round(len(labels) * validation_fraction)
    if not 0 < held_out < len(labels):
        raise DatasetError(
            f"A validation fraction of {validation_fraction:g} of {len(labels)} training images leaves "
            f"{held_out} to validate on; both parts need at least one."
        )
    order = torch.randperm(len(labels), generator=generator)
    train, validation = order[held_out:], order[:held_out]
    test_pixels, test_labels = _read_part(folder, "t10k")
    return DigitData(
        train=Split(normalise(pixels[train]), labels[train]),
        validation=Split(normalise(pixels[validation]), labels[validation]),
        test=Split(normalise(test_pixels), test_labels),
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


def read_idx(path: Path, *, dimensions: int) -> np.ndarray:
    """
    Read one IDX file of unsigned bytes, gzipped or not.

    Args:
        path: The file; a name that ends in ``.gz`` is unpacked.
        dimensions: How many it must have: 3 for images, 1 for labels.

    Raises:
        DatasetError: If it is not such a file, or is not as long as its header says.
    """
    content = _read_bytes(path)
    if len(content) < 4 or content[:3] != bytes([0, 0, _UINT8]):
        raise DatasetError(f"{path} is not an IDX file of bytes: it starts with {content[:4].hex(' ') or 'nothing'}.")
    if content[3] != dimensions:
        raise DatasetError(
            f"{path} holds {_contents(content[3])}, but {_contents(dimensions)} were expected. Are two files swapped?"
        )
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DatasetError(f"{path} is truncated: {len(content)} bytes, its header alone takes {start}.")
    shape = tuple(int(n) for n in np.frombuffer(content, dtype=">u4", count=dimensions, offset=4))
    expected = start + math.prod(shape)
    if len(content) != expected:
        fault = "is truncated" if len(content) < expected else "has bytes left over"
        raise DatasetError(f"{path} {fault}: {len(content)} bytes, but its header {shape} asks for {expected}.")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _contents(dimensions: int) -> str:
    return {_IMAGES: "images", _LABELS: "labels"}.get(dimensions, f"an array of {dimensions} dimensions")


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as exc:
        raise DatasetError(f"{path} cannot be read: {exc}.") from exc


def _idx_folder(directory: Path) -> Path:
    if not directory.is_dir():
        raise DatasetError(f"There is no folder {str(directory)!r} to read digits from.")
    for folder in (directory, directory / "MNIST" / "raw"):
        if folder.is_dir() and any(_candidates(folder, "train", "images")):
            return folder
    raise DatasetError(f"{str(directory)!r} holds no IDX files; train-images-idx3-ubyte, raw or .gz, was looked for.")


def _candidates(folder: Path, part: str, content: str) -> list[Path]:
    dimensions = _IMAGES if content == "images" else _LABELS
    stem = f"{part}-{content}-idx{dimensions}-ubyte"
    return [path for path in (folder / stem, folder / f"{stem}.gz") if path.is_file()]


def _find(folder: Path, part: str, content: str) -> Path:
    found = _candidates(folder, part, content)
    if not found:
        dimensions = _IMAGES if content == "images" else _LABELS
        raise DatasetError(f"{str(folder)!r} lacks {part}-{content}-idx{dimensions}-ubyte, raw or .gz.")
    return found[0]


def _read_part(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Return (N, 1, 28, 28) uint8 pixels and (N,) int64 labels."""
    images_path, labels_path = _find(folder, part, "images"), _find(folder, part, "labels")
    images, labels = read_idx(images_path, dimensions=_IMAGES), read_idx(labels_path, dimensions=_LABELS)
    if len(images) != len(labels):
        raise DatasetError(f"{images_path} holds {len(images)} images, but {labels_path} holds {len(labels)} labels.")
    if not len(images):
        raise DatasetError(f"{images_path} holds no images.")
    if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        side = "x".join(map(str, images.shape[1:]))
        raise DatasetError(f"{images_path} holds images of {side} pixels; {IMAGE_SIZE}x{IMAGE_SIZE} were expected.")
    if labels.max() >= CLASSES:
        raise DatasetError(f"{labels_path} holds the label {labels.max()}; labels go from 0 to {CLASSES - 1}.")
    pixels = torch.from_numpy(images.copy()).unsqueeze(1)  # (N, 1, 28, 28)
    return pixels, torch.from_numpy(labels.astype(np.int64))
