"""Pictures of digits: PNG and JPEG, read by Pillow, which is in SageMaker's PyTorch images and in an extra of ours."""

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
# what Pillow raises for pictures that are damaged; it documents OSError alone
_DAMAGED = (OSError, SyntaxError, EOFError, struct.error, zlib.error, OverflowError, LookupError)

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def decode_png(content: bytes) -> Pixels:
    """
    Read a PNG; see :func:`decode_jpeg`.

    Raises:
        ValueError: If it is none, or not of 28x28 grey pixels.
        MissingDependencyError: If there is no Pillow.
    """
    return _decode(content, "PNG")


def decode_jpeg(content: bytes) -> Pixels:
    """
    Read a JPEG of a digit, bright on dark as MNIST's are.

    A picture of another size or with colours is refused: how it becomes one of 28x28 grey pixels decides the answer,
    and that is the sender's business.

    Returns:
        (28, 28).

    Raises:
        ValueError: If it is none, or not of 28x28 grey pixels.
        MissingDependencyError: If there is no Pillow.
    """
    return _decode(content, "JPEG")


def _decode(content: bytes, form: str) -> Pixels:
    try:
        from PIL import Image
    except ImportError as exc:
        raise MissingDependencyError("Pillow", "serving") from exc
    try:
        with Image.open(io.BytesIO(content), formats=[form]) as picture:  # reads the head alone
            if picture.size != _SIZE:
                raise ValueError(f"the picture has {picture.width}x{picture.height} pixels")
            if picture.mode not in _OF_EIGHT_BITS:
                raise ValueError(f"the picture is of the kind {picture.mode!r}, where 8 bits of grey should be")
            return _grey(np.asarray(picture.convert("RGBA")))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise ValueError("the picture has far more pixels") from exc
    except _DAMAGED as exc:
        raise ValueError(f"there is no whole {form} picture") from exc


def _grey(colours: Pixels) -> Pixels:
    """Return (28, 28) of (28, 28, 4), of which no pixel may be coloured or transparent."""
    red, green, blue, opaque = (colours[:, :, place] for place in range(4))
    if (opaque != 255).any():
        raise ValueError("the picture is transparent in places")
    if (red != green).any() or (red != blue).any():
        raise ValueError("the picture has colours, where shades of grey should be")
    return red
