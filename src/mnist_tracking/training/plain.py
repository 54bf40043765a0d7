"""Save plain values and tensors to checksummed files, and load them without executing code."""

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

# raised by torch for a file that is damaged, or that contains more than plain values
_REFUSALS = (pickle.UnpicklingError, RuntimeError, OSError, EOFError, LookupError, ValueError, TypeError)

_MARK = b"sha256:"
_COMMENT = len(_MARK) + 2 * hashlib.sha256().digest_size


def save_plain(content: Mapping[str, Any], path: Path) -> None:
    """
    Write a dict of plain values and tensors to a file, atomically.

    Args:
        content: As in :func:`pack_plain`.
        path: The file; its directory is created if missing.

    Raises:
        ConfigError: If the file cannot be written.
    """
    write_atomically(pack_plain(content), path)


def pack_plain(content: Mapping[str, Any]) -> bytes:
    """
    Serialise a dict of plain values and tensors.

    The result is the zip archive of ``torch.save``, with its checksum as the archive's comment. ``torch.load`` can
    read it, but does not detect all damage.

    Args:
        content: Only numbers, strings, lists, dicts and tensors, so that it loads with ``weights_only=True``.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    archive = buffer.getvalue()[:-2]  # without the length of its comment, which is empty
    return archive + _comment(archive)


def load_plain(path: Path, *, what: str) -> dict[str, Any]:
    """
    Load a file written by :func:`save_plain` onto the CPU. No code in the file is executed.

    Args:
        path: The file.
        what: Description of the expected file, for error messages, such as ``"a checkpoint"``.

    Raises:
        DatasetError: If the file is missing, damaged, or of another kind.
    """
    try:
        written = path.read_bytes()
    except OSError as exc:
        raise DatasetError(f"{str(path)!r} is not {what}: {exc.strerror or exc}.") from exc
    if written[-_COMMENT:][: len(_MARK)] != _MARK:
        raise DatasetError(f"{str(path)!r} is not {what}, or it is truncated.")
    end = len(written) - _COMMENT - 2
    if written[end:] != _comment(written[:end]):
        raise DatasetError(f"{str(path)!r} is damaged: its checksum does not match.")
    try:
        content = torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
    except _REFUSALS as exc:  # torch's message suggests loading it anyway
        raise DatasetError(
            f"{str(path)!r} is not {what}: it is damaged, or contains more than plain values and tensors."
        ) from exc
    if not isinstance(content, dict):
        raise DatasetError(f"{str(path)!r} is not {what}: it contains a {type(content).__name__}.")
    return content


def _comment(archive: bytes) -> bytes:
    """Return the end of a zip archive: the length of its comment, and the comment, its checksum."""
    return _COMMENT.to_bytes(2, "little") + _MARK + hashlib.sha256(archive).hexdigest().encode()
