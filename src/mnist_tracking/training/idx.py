"""Read and write IDX, the file format of MNIST: byte arrays with a short header, raw or gzipped. Needs only numpy."""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_tracking.errors import DatasetError
from mnist_tracking.training.files import write_atomically

__all__ = ["Pixels", "parse_idx", "read_content", "read_idx", "unpack", "write_idx"]

#: A uint8 array.
Pixels = NDArray[np.uint8]

_MAGIC_LENGTH = 4
_UINT8 = 0x08
_CONTENTS = {1: "labels", 3: "images"}
_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_MOST = 1032  # the largest compression ratio of a gzip stream
_CHUNK = 1 << 20


def read_idx(path: Path, *, dimensions: int) -> Pixels:
    """
    Read an IDX file of bytes; decompresses names that end in ``.gz``.

    Raises:
        DatasetError: See :func:`read_content` and :func:`parse_idx`.
    """
    return parse_idx(read_content(path), path, dimensions=dimensions)


def read_content(path: Path) -> bytes:
    """
    Return the content of a file, decompressed if its name ends in ``.gz``.

    Raises:
        DatasetError: If the file cannot be read, or is truncated or corrupt.
    """
    try:
        packed = path.read_bytes()
    except OSError as exc:
        raise DatasetError(f"{str(path)!r} cannot be read: {exc.strerror or exc}.") from exc
    return unpack(packed, path) if path.suffix == ".gz" else packed


def unpack(packed: bytes, path: Path) -> bytes:
    """
    Decompress a gzipped file that was read from *path*.

    Decompresses at most one byte more than its IDX header announces, so that a small file cannot exhaust the memory; of
    other files, only the first bytes.

    Raises:
        DatasetError: If the file is truncated or corrupt, or does not fit into memory.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            start = stream.read(_MAGIC_LENGTH + 4 * max(_CONTENTS))
            if not _asked(start):
                while stream.read(_CHUNK):  # a damaged file raises here; another format does not
                    pass
                return start
            rest = _asked(start) - len(start) + 1
            return start + stream.read(max(0, min(rest, _MOST * len(packed))))
    except MemoryError as exc:
        raise DatasetError(
            f"{str(path)!r} does not fit into memory: it decompresses to {_asked(start)} bytes."
        ) from exc
    except EOFError as exc:
        raise DatasetError(f"{str(path)!r} is truncated: its gzip stream ends after {len(packed)} bytes.") from exc
    except gzip.BadGzipFile as exc:
        reason = "it fails its checksum" if packed[:2] == b"\x1f\x8b" else f"it starts with {_start(packed)}"
        raise DatasetError(f"{str(path)!r} is not a valid gzip file: {reason}.") from exc
    except zlib.error as exc:
        raise DatasetError(f"{str(path)!r} is corrupt: {exc}.") from exc


def parse_idx(content: bytes, path: Path, *, dimensions: int) -> Pixels:
    """
    Parse the content of an IDX file of bytes.

    Args:
        content: The complete, decompressed content.
        path: Path of the file, for error messages.
        dimensions: Expected number of dimensions: 3 for images, 1 for labels.

    Returns:
        A read-only uint8 array with the shape from the header.

    Raises:
        DatasetError: If the file has another format, or its length does not match its header.
    """
    _check_magic(content, path, dimensions)
    start = _MAGIC_LENGTH + 4 * dimensions
    if len(content) < start:
        raise DatasetError(
            f"{str(path)!r} is truncated: it has {len(content)} bytes, but the header alone takes {start}."
        )
    shape, whole = _shape(content, dimensions), _asked(content)
    if len(content) < whole:
        raise DatasetError(
            f"{str(path)!r} is truncated: it has {len(content)} bytes; expected {whole} for shape {shape}."
        )
    if len(content) > whole:
        raise DatasetError(f"{str(path)!r} is too long: it has more than the {whole} bytes expected for shape {shape}.")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _shape(content: bytes, dimensions: int) -> tuple[int, ...]:
    return tuple(int(n) for n in np.frombuffer(content, dtype=">u4", count=dimensions, offset=_MAGIC_LENGTH))


def _asked(content: bytes) -> int:
    """Return the file length that the header announces; 0 if it is incomplete or not an IDX header of bytes."""
    dimensions = content[3] if content[:3] == bytes([0, 0, _UINT8]) and len(content) > 3 else 0
    start = _MAGIC_LENGTH + 4 * dimensions
    return start + math.prod(_shape(content, dimensions)) if dimensions and len(content) >= start else 0


def _check_magic(content: bytes, path: Path, dimensions: int) -> None:
    magic = bytes([0, 0, _UINT8, dimensions])
    if content[:_MAGIC_LENGTH] == magic:
        return
    if content[:2] == b"\x1f\x8b":
        raise DatasetError(f"{str(path)!r} is gzipped, but its name does not end in '.gz'.")
    if content[:3] == magic[:3] and len(content) > 3:
        held = _CONTENTS.get(content[3], f"an array of {content[3]} dimensions")
        hint = " Are two files swapped?" if content[3] in _CONTENTS else ""
        raise DatasetError(f"{str(path)!r} contains {held}; expected {_CONTENTS[dimensions]}.{hint}")
    if content[:2] == magic[:2] and content[2:3] and (kind := _TYPES.get(content[2])):
        raise DatasetError(f"{str(path)!r} contains numbers of type {kind}; expected {_TYPES[_UINT8]}.")
    raise DatasetError(
        f"{str(path)!r} is not an IDX file of {_CONTENTS[dimensions]}: it starts with {_start(content)}; "
        f"expected {magic.hex(' ')}."
    )


def _start(content: bytes) -> str:
    return content[:_MAGIC_LENGTH].hex(" ") or "nothing (empty file)"


def write_idx(array: Pixels, path: Path) -> None:
    """Write an array of bytes as a raw IDX file, atomically."""
    header = bytes([0, 0, _UINT8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    write_atomically(header + np.ascontiguousarray(array, dtype=np.uint8).tobytes(), path)
