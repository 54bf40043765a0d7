"""Files that are either there in full or not there at all."""

import io
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mnist_tracking.errors import DatasetError

__all__ = ["load_plain", "save_plain"]


def save_plain(content: Mapping[str, Any], path: Path) -> None:
    """
    Write a dict of plain values and tensors, atomically: another process sees the old file or the new one.

    Args:
        content: Numbers, strings, lists, dicts and tensors only, so that it loads with ``weights_only=True``.
        path: Its folder is made if need be.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    write_atomically(path, buffer.getvalue())


def write_atomically(path: Path, content: bytes) -> None:
    """Write *content* to *path* by way of a hidden file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def load_plain(path: Path, *, what: str) -> dict[str, Any]:
    """
    Read what :func:`save_plain` wrote, onto the CPU; nothing in the file is executed.

    Raises:
        DatasetError: If the file is missing, or not such a file; *what* says what it should be.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, KeyError) as exc:
        raise DatasetError(f"{path} is not {what}: {exc}") from exc
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not {what}: it holds a {type(content).__name__}.")
    return content
