"""The adapter of the CNN's endpoint: images in, digits or probabilities out."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_tracking._values.formats import as_array
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import numpy.typing as npt

_SIDE = 28
_EXPECTED = "expected uint8 of shape (28, 28), (N, 28, 28) or (N, 1, 28, 28)"
_BATCH = 4096  # images; 784 bytes each, so a request stays below the service's 6 MiB


def predict_digits(
    invoke: "Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]", data: "npt.ArrayLike", *, probabilities: bool = False
) -> "npt.NDArray[Any]":
    """
    Classify any number of images, in requests of a size that the service allows.

    Args:
        invoke: Sends an array ``(N, 28, 28)``, and returns the response, ``(N, 10)``.
        data: The images.
        probabilities: Whether to return ``(N, 10)`` float32 probabilities instead of ``(N,)`` int64 digits.

    Raises:
        ConfigError: If the shape or the dtype of the images is not allowed. Nothing was sent.
    """
    images = check_digits(data)
    responses = [invoke(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
    rows = np.concatenate(responses).astype(np.float32) if responses else np.empty((0, 10), np.float32)
    return rows if probabilities else digits_of(rows)


def check_digits(data: "npt.ArrayLike") -> "npt.NDArray[np.uint8]":
    """
    Return images as ``(N, 28, 28)`` uint8.

    Raises:
        ConfigError: If the shape or the dtype is not allowed.

    Example:
        >>> check_digits(np.zeros((1, 1, 28, 28), np.uint8)).shape
        (1, 28, 28)
    """
    given = images = as_array(data)
    if images.dtype != np.uint8:
        raise ConfigError(f"Got images of dtype {images.dtype}; {_EXPECTED}, pixels from 0 to 255, not normalised.")
    if images.ndim == 2:
        images = images[None]
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3 or images.shape[1:] != (_SIDE, _SIDE):
        raise ConfigError(f"Got images of shape {given.shape}; {_EXPECTED}.")
    return np.ascontiguousarray(images)


def digits_of(probabilities: "npt.NDArray[Any]") -> "npt.NDArray[np.int64]":
    """Return the likeliest digit of each row of ``(N, 10)``."""
    return np.asarray(probabilities.argmax(axis=1), np.int64)
