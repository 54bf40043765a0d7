"""What goes to an endpoint: a file, as the data that it holds or as it is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mnist_tracking._values.formats import Deserializer, Format, Serializer

__all__ = ["FORMATS", "AsItComes", "AsItIs", "read_payload"]

FORMATS = ("numpy", "json", "csv", "bytes")  # those of mnist_tracking._values.formats, which imports numpy


@attrs.frozen
class AsItIs:
    """
    A serializer that sends a file as it is.

    Attributes:
        CONTENT_TYPE: What the file is, such as ``"image/png"``.
    """

    CONTENT_TYPE: str

    def serialize(self, data: bytes) -> bytes:
        """Return the file's content."""
        return data


@attrs.frozen
class AsItComes:
    """
    A deserializer that gives an answer as it comes.

    Attributes:
        ACCEPT: What is asked for, such as ``"text/plain"``.
    """

    ACCEPT: str

    def deserialize(self, stream: Any, content_type: str) -> bytes:  # noqa: ARG002 - the protocol's
        """Return the answer's bytes."""
        return bytes(stream.read())


def read_payload(file: BinaryIO, sent_as: "Format | None", dtype: str | None) -> Any:
    """
    Read data as they will be sent.

    Args:
        file: Its name says what it holds: an array as ``.npy``, numbers as ``.csv``, or else JSON.
        sent_as: A file of CSV that goes as ``"csv"`` is read as text, and any that goes as ``"bytes"`` not at all; None
            is ``"numpy"``.
        dtype: The type of an array's values.

    Raises:
        ConfigError: If the file does not hold that.
    """
    name = str(getattr(file, "name", "<stdin>"))
    kind = Path(name).suffix.lstrip(".")
    if sent_as == "bytes":
        return file.read()
    try:
        data = _read(file, "csv" if sent_as == "csv" and kind != "npy" else kind, is_text=sent_as == "csv")
        return data if dtype is None else _array(data).astype(dtype)
    except (ValueError, EOFError, TypeError) as error:
        raise ConfigError(f"{name!r} cannot be read as {kind or 'JSON'}: {error}") from error


def _read(file: BinaryIO, kind: str, *, is_text: bool) -> Any:
    import numpy as np

    match kind:
        case "npy":
            return np.load(file, allow_pickle=False)
        case "csv" if is_text:
            return file.read().decode()
        case "csv":
            return np.loadtxt(file, delimiter=",", ndmin=2)
    return json.load(file)


def _array(data: Any) -> Any:
    import numpy as np

    return np.asarray(data)


if TYPE_CHECKING:
    _serializer: Serializer = AsItIs("")
    _deserializer: Deserializer = AsItComes("")
