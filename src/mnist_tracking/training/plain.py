"""Plain values and tensors in files that execute nothing when they are read, and are read whole or not at all."""

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mnist_tracking.errors import DatasetError
from mnist_tracking.training.files import write_atomically

__all__ = ["load_plain", "pack_plain", "save_plain"]

# what torch raises for a file that is damaged, or that asks for more than plain values
_REFUSALS = (pickle.UnpicklingError, RuntimeError, OSError, EOFError, LookupError, ValueError, TypeError)

_MARK = b"sha256:"
_COMMENT = len(_MARK) + 2 * hashlib.sha256().digest_size


def save_plain(content: Mapping[str, Any], path: Path) -> None:
    """
    Write a dict of plain values and tensors, atomically: another process sees the old file or the new one.

    Args:
        content: As in :func:`pack_plain`.
        path: Its directory is made if need be.

    Raises:
        ConfigError: If it cannot be written.
    """
    write_atomically(pack_plain(content), path)


def pack_plain(content: Mapping[str, Any]) -> bytes:
    """
    Return a dict of plain values and tensors as the content of a file.

    It is what ``torch.save`` writes, a zip archive, with its checksum as the archive's comment: ``torch.load`` reads
    it too, but notices only some of the damages.

    Args:
        content: Numbers, strings, lists, dicts and tensors only, so that it loads with ``weights_only=True``.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    archive = buffer.getvalue()[:-2]  # but for the length of its comment, of which it has none
    return archive + _comment(archive)


def load_plain(path: Path, *, what: str) -> dict[str, Any]:
    """
    Read what :func:`pack_plain` made, onto the CPU; nothing in the file is executed.

    Raises:
        DatasetError: If the file is missing, damaged, or not such a file; *what* says what it should be.
    """
    try:
        written = path.read_bytes()
    except OSError as exc:
        raise DatasetError(f"{str(path)!r} is not {what}: {exc.strerror or exc}.") from exc
    if written[-_COMMENT:][: len(_MARK)] != _MARK:
        raise DatasetError(f"{str(path)!r} is not {what}, or it is truncated.")
    end = len(written) - _COMMENT - 2
    if written[end:] != _comment(written[:end]):
        raise DatasetError(f"{str(path)!r} is not {what} any more: it is damaged, as its checksum shows.")
    try:
        content = torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
    except _REFUSALS as exc:  # torch's message advises to load it all the same
        raise DatasetError(
            f"{str(path)!r} is not {what}: it is damaged, or holds more than values and tensors."
        ) from exc
    if not isinstance(content, dict):
        raise DatasetError(f"{str(path)!r} is not {what}: it holds a {type(content).__name__}.")
    return content


def _comment(archive: bytes) -> bytes:
    """Return how an archive ends that starts so: with the length of its comment, and the comment."""
    return _COMMENT.to_bytes(2, "little") + _MARK + hashlib.sha256(archive).hexdigest().encode()
