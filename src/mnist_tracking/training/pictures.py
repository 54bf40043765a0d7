"""Decode PNG and JPEG images of digits with Pillow, which is in SageMaker's PyTorch images and an optional extra."""

import io
import struct
import zlib
from typing import Any

import numpy as np

from mnist_tracking.errors import MissingDependencyError
from mnist_tracking.training.data import IMAGE_SIZE

__all__ = ["decode_jpeg", "decode_png"]

_SIZE = (IMAGE_SIZE, IMAGE_SIZE)
_OF_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
# raised by Pillow for damaged pictures; only OSError is documented
_DAMAGED = (OSError, SyntaxError, EOFError, struct.error, zlib.error, OverflowError, LookupError)

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def decode_png(content: bytes) -> Pixels:
    """
    Decode a PNG of a digit, bright on dark as in MNIST.

    Returns:
        (28, 28) uint8 in 0..255.

    Raises:
        ValueError: If the content is not a PNG, or not 28x28 greyscale pixels.
        MissingDependencyError: If Pillow is not installed.
    """
    return _decode(content, "PNG")


def decode_jpeg(content: bytes) -> Pixels:
    """
    Decode a JPEG of a digit, bright on dark as in MNIST.

    Pictures of other sizes, or with colours, are rejected: the conversion to 28x28 greyscale pixels affects the
    prediction, so it is left to the client.

    Returns:
        (28, 28) uint8 in 0..255.

    Raises:
        ValueError: If the content is not a JPEG, or not 28x28 greyscale pixels.
        MissingDependencyError: If Pillow is not installed.
    """
    return _decode(content, "JPEG")


def _decode(content: bytes, form: str) -> Pixels:
    try:
        from PIL import Image
    except ImportError as exc:
        raise MissingDependencyError("Pillow", "serving") from exc
    try:
        with Image.open(io.BytesIO(content), formats=[form]) as picture:  # reads only the header
            if picture.size != _SIZE:
                raise ValueError(f"the picture has {picture.width}x{picture.height} pixels")
            if picture.mode not in _OF_EIGHT_BITS:
                raise ValueError(f"the picture has mode {picture.mode!r}, expected 8-bit greyscale")
            return _grey(np.asarray(picture.convert("RGBA")))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise ValueError("the picture has far too many pixels") from exc
    except _DAMAGED as exc:
        raise ValueError(f"it is not a complete {form} picture") from exc


def _grey(colours: Pixels) -> Pixels:
    """Convert (28, 28, 4) uint8 RGBA to (28, 28); coloured or transparent pixels are an error."""
    red, green, blue, opaque = (colours[:, :, place] for place in range(4))
    if (opaque != 255).any():
        raise ValueError("the picture has transparent pixels")
    if (red != green).any() or (red != blue).any():
        raise ValueError("the picture has colours, expected greyscale")
    return red
