"""How digits go to an endpoint of the CNN and how its answers are read."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import numpy.typing as npt

_SIDE = 28
_EXPECTED = "expected uint8 of shape (28, 28), (N, 28, 28) or (N, 1, 28, 28)"


def as_array(data: "npt.ArrayLike") -> "npt.NDArray[Any]":
    """
    Return *data* as an array that can be sent.

    Raises:
        ConfigError: If it is ragged, or an array of Python objects.
    """
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ConfigError(f"The data are no array: {error}") from error
    if array.dtype.hasobject:
        raise ConfigError(f"Got an array of dtype {array.dtype}; Python objects cannot be sent.")
    return array


def check_digits(data: "npt.ArrayLike") -> "npt.NDArray[np.uint8]":
    """
    Return images as ``(N, 28, 28)`` uint8.

    Raises:
        ConfigError: If the shape or the dtype is another.

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
