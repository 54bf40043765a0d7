"""Plain values and tensors in files that execute nothing when they are read."""

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mnist_tracking.errors import DatasetError
from mnist_tracking.training.files import write_atomically

__all__ = ["load_plain", "save_plain"]

# what torch raises for a file that is damaged, or that asks for more than plain values
_REFUSALS = (pickle.UnpicklingError, RuntimeError, OSError, EOFError, LookupError, ValueError, TypeError)


def save_plain(content: Mapping[str, Any], path: Path) -> None:
    """
    Write a dict of plain values and tensors, atomically: another process sees the old file or the new one.

    Args:
        content: Numbers, strings, lists, dicts and tensors only, so that it loads with ``weights_only=True``.
        path: Its directory is made if need be.

    Raises:
        ConfigError: If it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    write_atomically(buffer.getvalue(), path)


def load_plain(path: Path, *, what: str) -> dict[str, Any]:
    """
    Read what :func:`save_plain` wrote, onto the CPU; nothing in the file is executed.

    Raises:
        DatasetError: If the file is missing, or not such a file; *what* says what it should be.
    """
    try:
        stream = io.BytesIO(path.read_bytes())
    except OSError as exc:
        raise DatasetError(f"{str(path)!r} is not {what}: {exc.strerror or exc}.") from exc
    if not zipfile.is_zipfile(stream):  # nor is it read in the formats that torch had before
        raise DatasetError(f"{str(path)!r} is not {what}, or it is truncated.")
    _check_sums(stream, path, what)
    stream.seek(0)
    try:
        content = torch.load(stream, map_location="cpu", weights_only=True)
    except _REFUSALS as exc:  # torch's message advises to load it all the same
        raise DatasetError(
            f"{str(path)!r} is not {what}: it is damaged, or holds more than values and tensors."
        ) from exc
    if not isinstance(content, dict):
        raise DatasetError(f"{str(path)!r} is not {what}: it holds a {type(content).__name__}.")
    return content


def _check_sums(stream: io.BytesIO, path: Path, what: str) -> None:
    """Compare every member with its checksum, which torch does not."""
    try:
        with zipfile.ZipFile(stream) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as exc:
        raise DatasetError(f"{str(path)!r} is not {what}, or it is damaged: {exc}.") from exc
    if damaged is not None:
        raise DatasetError(f"{str(path)!r} is not {what} any more: it is damaged in {damaged!r}.")
