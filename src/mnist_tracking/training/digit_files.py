"""
MNIST's file layout: four IDX files with fixed names in one directory. Needs only numpy.

The files are in the directory itself or in ``MNIST/raw`` below it, where torchvision puts them, raw or gzipped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from mnist_tracking.errors import DatasetError
from mnist_tracking.training.idx import Pixels, parse_idx, read_content

__all__ = [
    "CLASSES",
    "FILES",
    "IMAGES",
    "LABELS",
    "MEAN",
    "NAMES",
    "STD",
    "SplitName",
    "file_path",
    "find_directory",
    "parse_split",
    "read_contents",
    "side",
]

SplitName: TypeAlias = Literal["train", "test"]

#: The names of each split's images and labels, without ``.gz``.
FILES: Mapping[SplitName, tuple[str, str]] = MappingProxyType(
    {
        "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    }
)
NAMES = tuple(name for pair in FILES.values() for name in pair)

#: Number of dimensions of an image file and of a label file.
IMAGES, LABELS = 3, 1
CLASSES = 10
#: Mean and standard deviation of MNIST's training pixels, scaled to 0..1.
MEAN, STD = 0.1307, 0.3081


def find_directory(path: Path, *, asked: str = "") -> Path:
    """
    Return *path* or its ``MNIST/raw``, whichever holds IDX files.

    Args:
        path: The directory to search.
        asked: Name for the directory in error messages. Defaults to the path.

    Raises:
        DatasetError: If the directory does not exist, or contains no IDX files.
    """
    asked = asked or repr(str(path))
    try:
        if not path.exists():
            raise DatasetError(f"{asked}: directory not found.")
        if not path.is_dir():
            raise DatasetError(f"{asked}: is a file. Pass the directory that contains it.")
        for directory in (path, path / "MNIST" / "raw"):
            if any(_find(directory, name) for name in NAMES):
                return directory
        others = sorted(entry.name for entry in path.iterdir() if "ubyte" in entry.name)[:4]
    except OSError as exc:
        raise DatasetError(f"{asked}: cannot be read: {exc.strerror or exc}.") from exc
    found = f" Found instead: {', '.join(others)}." if others else ""
    raise DatasetError(f"{asked}: contains no IDX files. Expected {', '.join(NAMES)}, each raw or .gz.{found}")


def file_path(directory: Path, name: str) -> Path:
    """
    Return the path of a file; a raw file takes precedence over a gzipped one.

    Raises:
        DatasetError: If the file is missing.
    """
    if path := _find(directory, name):
        return path
    there = ", ".join(other for other in NAMES if _find(directory, other)) or "none of the four files"
    raise DatasetError(f"{str(directory)!r} does not contain {name}, raw or .gz. Found: {there}.")


def _find(directory: Path, name: str) -> Path | None:
    return next((path for path in (directory / name, directory / f"{name}.gz") if path.is_file()), None)


def read_contents(directory: Path) -> dict[str, bytes]:
    """
    Read and decompress the four files, by name.

    Raises:
        DatasetError: If a file is missing, or cannot be read or decompressed.
    """
    return {name: read_content(file_path(directory, name)) for name in NAMES}


def parse_split(directory: Path, split: SplitName, contents: Mapping[str, bytes]) -> tuple[Pixels, Pixels]:
    """
    Parse the images and labels of one split from the result of :func:`read_contents`.

    Returns:
        (N, height, width) uint8 images and (N,) uint8 labels in 0..9, read-only, with N >= 1.

    Raises:
        DatasetError: If a file is truncated, its content does not match its name, or the two files do not match.
    """
    images_path, labels_path = (file_path(directory, name) for name in FILES[split])
    images = parse_idx(contents[FILES[split][0]], images_path, dimensions=IMAGES)
    labels = parse_idx(contents[FILES[split][1]], labels_path, dimensions=LABELS)
    if not images.size:
        raise DatasetError(
            f"{str(images_path)!r} contains no pixels: {len(images)} images of {side(images.shape[1:])}."
        )
    if len(images) != len(labels):
        raise DatasetError(
            f"{str(images_path)!r} contains {len(images)} images, but {labels_path.name} contains {len(labels)} labels."
        )
    if (largest := int(labels.max())) >= CLASSES:
        raise DatasetError(
            f"{str(labels_path)!r} contains the label {largest}; expected labels from 0 to {CLASSES - 1}."
        )
    return images, labels


def side(shape: Sequence[int]) -> str:
    """Format the size of an image, such as ``28x28``."""
    return "x".join(map(str, shape))
