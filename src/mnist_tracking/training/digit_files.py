"""
Digits as MNIST keeps them: four IDX files under fixed names, in one directory. Needs numpy alone.

They lie in the directory itself or in its ``MNIST/raw``, where torchvision puts them, raw or gzipped.
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

#: How many dimensions a file of images has, and one of labels.
IMAGES, LABELS = 3, 1
CLASSES = 10
#: Mean and standard deviation of MNIST's training pixels, scaled to 0..1.
MEAN, STD = 0.1307, 0.3081


def find_directory(path: Path, *, asked: str = "") -> Path:
    """
    Return *path* or its ``MNIST/raw``, whichever holds IDX files.

    Args:
        path: Where to look.
        asked: How to name it in an error. Defaults to the path.

    Raises:
        DatasetError: If there is no such directory, or neither holds any.
    """
    asked = asked or repr(str(path))
    try:
        if not path.exists():
            raise DatasetError(f"{asked}: there is no such directory.")
        if not path.is_dir():
            raise DatasetError(f"{asked}: that is a file. Name the directory that holds it.")
        for directory in (path, path / "MNIST" / "raw"):
            if any(_find(directory, name) for name in NAMES):
                return directory
        others = sorted(entry.name for entry in path.iterdir() if "ubyte" in entry.name)[:4]
    except OSError as exc:
        raise DatasetError(f"{asked}: it cannot be read ({exc.strerror or exc}).") from exc
    found = f" Found instead: {', '.join(others)}." if others else ""
    raise DatasetError(f"{asked}: it holds no IDX files. Looked for {', '.join(NAMES)}, each raw or .gz.{found}")


def file_path(directory: Path, name: str) -> Path:
    """
    Return where a file lies; where it is both raw and gzipped, raw counts.

    Raises:
        DatasetError: If it is not there.
    """
    if path := _find(directory, name):
        return path
    there = ", ".join(other for other in NAMES if _find(directory, other)) or "none of the four files"
    raise DatasetError(f"{str(directory)!r} lacks {name}, raw or .gz; it holds {there}.")


def _find(directory: Path, name: str) -> Path | None:
    return next((path for path in (directory / name, directory / f"{name}.gz") if path.is_file()), None)


def read_contents(directory: Path) -> dict[str, bytes]:
    """
    Read the four files, unpacked, by their names.

    Raises:
        DatasetError: If one is missing, or cannot be read or unpacked.
    """
    return {name: read_content(file_path(directory, name)) for name in NAMES}


def parse_split(directory: Path, split: SplitName, contents: Mapping[str, bytes]) -> tuple[Pixels, Pixels]:
    """
    Turn what :func:`read_contents` read into images and their labels.

    Returns:
        (N, height, width) uint8 images and (N,) uint8 labels in 0..9; at least one, and read-only.

    Raises:
        DatasetError: If a file is truncated, is not what its name says, or does not fit the other one.
    """
    images_path, labels_path = (file_path(directory, name) for name in FILES[split])
    images = parse_idx(contents[FILES[split][0]], images_path, dimensions=IMAGES)
    labels = parse_idx(contents[FILES[split][1]], labels_path, dimensions=LABELS)
    if not images.size:
        raise DatasetError(f"{str(images_path)!r} holds no pixels: {len(images)} images of {side(images.shape[1:])}.")
    if len(images) != len(labels):
        raise DatasetError(
            f"{str(images_path)!r} holds {len(images)} images, but {labels_path.name} {len(labels)} labels."
        )
    if (largest := int(labels.max())) >= CLASSES:
        raise DatasetError(f"{str(labels_path)!r} holds the label {largest}; labels go from 0 to {CLASSES - 1}.")
    return images, labels


def side(shape: Sequence[int]) -> str:
    """Return the size of an image in words, such as ``28x28``."""
    return "x".join(map(str, shape))
