"""Draw misclassified images as a PNG, with only numpy and the standard library, which every job has."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_tracking.training.events import Mistake

__all__ = ["draw_mistakes", "encode_png"]

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

_COLUMNS, _ZOOM, _MARGIN = 5, 3, 6
# each digit in 3x5 dots: one octal digit, three bits, per line from the top
_DOTS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71122", "75757", "75717")
_ARROW = "04240"


def draw_mistakes(images: Pixels, mistakes: Sequence[Mistake]) -> bytes:
    """
    Draw each image above its label, an arrow, and the prediction, five in a row.

    Args:
        images: (K, 28, 28) uint8 in 0..255, one for each mistake.
        mistakes: The K mistakes, in the same order.

    Returns:
        A greyscale PNG; a single black pixel if there are no mistakes.
    """
    cells = [_cell(image, mistake) for image, mistake in zip(images, mistakes, strict=True)]
    if not cells:
        return encode_png(np.zeros((1, 1), np.uint8))
    blank = np.zeros_like(cells[0])
    cells += [blank] * (-len(cells) % _COLUMNS)
    rows = [np.hstack(cells[start : start + _COLUMNS]) for start in range(0, len(cells), _COLUMNS)]
    return encode_png(np.vstack(rows))


def _cell(image: Pixels, mistake: Mistake) -> Pixels:
    picture = _zoomed(image)
    words = np.hstack([_glyph(_DOTS[mistake.label]), _glyph(_ARROW), _glyph(_DOTS[mistake.answer])])
    line = np.zeros((words.shape[0], picture.shape[1]), np.uint8)
    line[:, : words.shape[1]] = words
    return np.pad(np.vstack([picture, np.zeros((_ZOOM, picture.shape[1]), np.uint8), line]), _MARGIN)


def _glyph(dots: str) -> Pixels:
    bits = [[int(row) >> shift & 1 for shift in (2, 1, 0)] for row in dots]
    return _zoomed(np.pad(np.array(bits, np.uint8) * 255, ((0, 0), (0, 1))))


def _zoomed(pixels: Pixels) -> Pixels:
    return np.kron(pixels, np.ones((_ZOOM, _ZOOM), np.uint8))


def encode_png(pixels: Pixels) -> bytes:
    """
    Encode (H, W) uint8 pixels in 0..255 as a greyscale PNG.

    Source: Portable Network Graphics, 2nd edition, ISO/IEC 15948:2003: a signature, and the chunks IHDR, IDAT, IEND.
    """
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8-bit greyscale, not interlaced
    lines = np.pad(pixels, ((0, 0), (1, 0))).tobytes()  # each line starts with its filter type: 0 is none
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
