"""The 1,797 handwritten digits of scikit-learn, converted to MNIST's format: a small substitute without a network."""

import os
from pathlib import Path

import numpy as np

from mnist_tracking.errors import MissingDependencyError
from mnist_tracking.training.digit_files import FILES
from mnist_tracking.training.idx import Pixels, write_idx

__all__ = ["write_digits"]

# scikit-learn's digits are 8x8 in 0..16; MNIST's are 20x20 in the middle of 28x28, in 0..255
_BRIGHTEST = 16
_SIZE, _MARGIN = 20, 4
# every sixth is a test image; its writers also wrote training images
_TEST_STEP = 6


def write_digits(directory: str | os.PathLike[str]) -> None:
    """
    Write the 1,797 handwritten digits that scikit-learn ships as a small dataset in MNIST's format.

    The images are scaled to 28x28 pixels; every sixth one is a test image.

    Args:
        directory: Where the four IDX files go. Created if missing; existing files are overwritten.

    Raises:
        MissingDependencyError: If scikit-learn is not installed.
        ConfigError: If the directory cannot be written.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as exc:
        raise MissingDependencyError("scikit-learn", "demo") from exc
    small, labels = load_digits(return_X_y=True)
    images, labels = enlarge(small.reshape(-1, 8, 8)), labels.astype(np.uint8)
    is_test = np.arange(len(labels)) % _TEST_STEP == 0
    for (images_name, labels_name), chosen in ((FILES["train"], ~is_test), (FILES["test"], is_test)):
        write_idx(images[chosen], Path(directory, images_name))
        write_idx(labels[chosen], Path(directory, labels_name))


def enlarge(small: np.ndarray[tuple[int, int, int], np.dtype[np.float64]]) -> Pixels:
    """Enlarge (N, 8, 8) in 0..16 to (N, 28, 28) uint8, by linear interpolation and a black margin."""
    weights = _interpolation(small.shape[1], _SIZE)
    large = weights @ small @ weights.T  # (N, 20, 20)
    pixels = np.rint(large * (255 / _BRIGHTEST)).astype(np.uint8)
    return np.pad(pixels, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))


def _interpolation(size: int, new_size: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the (new_size, size) weights that interpolate *size* values at *new_size* evenly spaced positions."""
    positions = np.linspace(0, size - 1, new_size)
    return np.maximum(0.0, 1.0 - np.abs(positions[:, None] - np.arange(size)))
