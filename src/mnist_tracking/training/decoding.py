"""
Decode request bodies into pixels.

Sizes are checked before memory is allocated, and no code in a body is executed.
"""

import io
import json
import math
import tokenize
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib import format as npy

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.data import IMAGE_SIZE
from mnist_tracking.training.pictures import decode_jpeg, decode_png

__all__ = ["EXPECTED", "decode"]

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = (
    "images of 28x28 pixels with shape (28, 28), (N, 28, 28) or (N, 1, 28, 28), in CSV one line of 784 numbers per "
    "image; integers or floats from 0 to 255, or from 0 to 1 with '; scale=1' after the content type"
)
_SIDES = (IMAGE_SIZE, IMAGE_SIZE)
_PIXELS = IMAGE_SIZE * IMAGE_SIZE
# raised by the readers below; numpy parses a header as a Python literal
_UNREADABLE = (ValueError, TypeError, RecursionError, SyntaxError, tokenize.TokenError)
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def decode(content: bytes, content_type: str) -> Array:
    """
    Decode the images of a request.

    Args:
        content: The request body.
        content_type: ``application/x-npy``, ``application/json``, ``text/csv``, ``image/png`` or ``image/jpeg``; the
            parameter ``scale``, 1 or 255, is the value of white.

    Returns:
        (N, 1, 28, 28) uint8 or float32 in 0..255.

    Raises:
        ConfigError: If the body cannot be decoded, or has a wrong shape, type or value.
        MissingDependencyError: If the body is a PNG or JPEG and Pillow is not installed.
    """
    kind, scale = _parsed(content_type)
    if not content:
        raise ConfigError(f"The body is empty. Expected {EXPECTED}.")
    try:
        array = _DECODERS[kind](content)
    except _UNREADABLE as exc:
        reason = "too deeply nested" if isinstance(exc, RecursionError) else str(exc).rstrip(".")
        # the client receives the traceback, and the reader's own error would add thirty lines to it
        raise ConfigError(f"The body is not valid {kind}: {reason}. Expected {EXPECTED}.") from None
    return _scaled(_shaped(array), scale)


def _parsed(content_type: str) -> tuple[str, int | None]:
    """Return the media type and the value of white, if given."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind not in _DECODERS:
        raise ConfigError(
            f"The content type {content_type!r} is not supported; expected one of {', '.join(_DECODERS)}."
        )
    given = [part.partition("=")[2].strip(' "') for part in parameters if part.partition("=")[0].strip() == "scale"]
    if any(value not in ("1", "255") for value in given):
        raise ConfigError(f"The content type {content_type!r} has an invalid scale; expected 1 or 255.")
    return kind, int(given[-1]) if given else None


def _decode_npy(content: bytes) -> Array:
    """Read the format of np.save; the size in its header must match the length of the body."""
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"version {version[0]}.{version[1]} of the format is not supported")
    shape, is_fortran, dtype = _HEADERS[version](stream)
    if dtype.kind not in "uif":
        raise ConfigError(f"The images have dtype {dtype}. Expected {EXPECTED}.")
    size, rest = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if min(shape, default=0) < 0 or size != rest:
        raise ValueError(f"an array of shape {shape} and dtype {dtype} takes {size} bytes, but the body has {rest}")
    values = np.frombuffer(content, dtype, offset=stream.tell())
    return values.reshape(shape, order="F" if is_fortran else "C")


def _decode_json(content: bytes) -> Array:
    text = content.decode("utf-8")
    values = json.loads(text)
    if not isinstance(values, list):
        raise ValueError(f"expected an array, found {type(values).__name__}")
    array = np.asarray(values)
    if array.dtype.kind not in "uif" or "true" in text or "false" in text:  # numpy converts these to numbers
        raise ValueError("it contains values that are not numbers")
    return array


def _decode_csv(content: bytes) -> Array:
    if not content.strip():
        raise ValueError("it contains only whitespace")
    rows = np.loadtxt(io.BytesIO(content), delimiter=",", ndmin=2, comments=None, encoding="utf-8")
    if rows.shape[1] != _PIXELS:
        raise ValueError(f"a line has {rows.shape[1]} numbers, expected {_PIXELS}")
    return rows.reshape(-1, *_SIDES)


_DECODERS: dict[str, Callable[[bytes], Array]] = {
    "application/x-npy": _decode_npy,
    "application/json": _decode_json,
    "text/csv": _decode_csv,
    "image/png": decode_png,
    "image/jpeg": decode_jpeg,
}


def _shaped(array: Array) -> Array:
    """Return (N, 1, 28, 28)."""
    is_image = array.shape[-2:] == _SIDES
    if not is_image or array.ndim not in (2, 3, 4) or (array.ndim == 4 and array.shape[1] != 1):
        raise ConfigError(f"The images have shape {array.shape}. Expected {EXPECTED}.")
    if not array.size:
        raise ConfigError(f"The body contains no images: its shape is {array.shape}. Expected {EXPECTED}.")
    return array.reshape(-1, 1, *_SIDES)


def _scaled(array: Array, scale: int | None) -> Array:
    """
    Return uint8 or float32 in 0..255.

    Floats that are all at most 1 could be on either scale, so the content type must name it.
    """
    low, high = array.min(), array.max()
    if not 0 <= low <= high <= (scale or 255):  # NaN fails this, too
        raise ConfigError(f"The images contain values from {low:g} to {high:g}. Expected {EXPECTED}.")
    if array.dtype.kind == "f" and scale is None and 0 < high <= 1:
        raise ConfigError(
            f"The largest value is {high:g}, so the scale could be 0 to 1 or 0 to 255. "
            "Append '; scale=1' or '; scale=255' to the content type."
        )
    if scale == 1:
        return array.astype(np.float32, order="C") * np.float32(255)
    return array.astype(np.float32 if array.dtype.kind == "f" else np.uint8, order="C")
