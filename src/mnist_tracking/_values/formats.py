"""How data go to an endpoint, and how its answers are read."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import numpy as np

from mnist_tracking.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Deserializer", "Format", "Serializer"]

Format = Literal["numpy", "json", "csv", "bytes"]


class Serializer(Protocol):
    """What turns data into the body of a request, such as any of ``sagemaker.serializers``."""

    @property
    def CONTENT_TYPE(self) -> str:  # noqa: N802 - the SDK's name
        """The media type of what `serialize` gives."""

    def serialize(self, data: Any) -> Any:
        """Return the body: bytes, a text or an open file."""


class Deserializer(Protocol):
    """What reads an answer, such as any of ``sagemaker.deserializers``."""

    @property
    def ACCEPT(self) -> str | Iterable[str]:  # noqa: N802 - the SDK's name
        """The media type to ask for, or several."""

    def deserialize(self, stream: Any, content_type: str) -> Any:
        """Read an answer: *stream* has ``read`` and ``close``."""


def serializer_of(given: "Serializer | Format | None") -> Serializer:
    """
    Return what a serializer, or the name of one, stands for; numpy's by default.

    Raises:
        ConfigError: If it is neither.
    """
    serializer: Serializer = _of("serializer", given, "serialize")
    return serializer


def deserializer_of(given: "Deserializer | Format | None", serializer: "Serializer | Format | None") -> Deserializer:
    """
    Return what a deserializer, or the name of one, stands for; by default what a named serializer goes with.

    Raises:
        ConfigError: If it is neither.
    """
    wanted = serializer if given is None and isinstance(serializer, str) else given
    deserializer: Deserializer = _of("deserializer", wanted, "deserialize")
    return deserializer


def _of(what: str, given: Any, method: str) -> Any:
    if given is None:
        return _Numpy()
    if isinstance(given, str) and given in _NAMED:
        return _NAMED[given]()
    if isinstance(given, str | type) or not callable(getattr(given, method, None)):
        names = ", ".join(map(repr, _NAMED))
        raise ConfigError(f"{what}={given!r}; possible are {names}, or an object with the method {method}().")
    return given


def named_by(serializer: "Serializer | Format | None", deserializer: "Deserializer | Format | None") -> str | None:
    """
    Return the formats that were given by name as an endpoint keeps them; None if none was, or one has no name.

    Example:
        >>> named_by("json", None), named_by(None, "csv"), named_by(None, None)
        ('json', 'numpy/csv', None)
    """
    names = [name for name in (serializer or "numpy", deserializer) if name is not None]
    if (serializer, deserializer) == (None, None) or not all(isinstance(name, str) for name in names):
        return None
    return "/".join(map(str, names))


def formats_in(kept: str | None) -> tuple[Format | None, Format | None]:
    """
    Return the serializer and the deserializer that an endpoint keeps, by name.

    Example:
        >>> formats_in("numpy/csv"), formats_in("json"), formats_in("digits")
        (('numpy', 'csv'), ('json', None), (None, None))
    """
    serializer, _, deserializer = (kept or "").partition("/")
    return _known(serializer), _known(deserializer)


def _known(name: str) -> Format | None:
    return cast("Format", name) if name in _NAMED else None


def accepted(deserializer: Deserializer) -> str:
    """Return the Accept header of a deserializer."""
    accept = deserializer.ACCEPT
    return accept if isinstance(accept, str) else ", ".join(accept)


def as_array(data: "npt.ArrayLike") -> "npt.NDArray[Any]":
    """
    Return *data* as an array that can be sent.

    Raises:
        ConfigError: If it is ragged, or an array of Python objects.
    """
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ConfigError(f"The data are no array: {error}") from error
    if array.dtype.hasobject:
        raise ConfigError(f"Got an array of dtype {array.dtype}; Python objects cannot be sent.")
    return array


class _Numpy:
    """An array goes as npy; the answer may be npy, JSON or CSV, and an array comes."""

    CONTENT_TYPE = ACCEPT = "application/x-npy"

    def serialize(self, data: "npt.ArrayLike") -> bytes:
        body = io.BytesIO()
        np.save(body, as_array(data), allow_pickle=False)
        return body.getvalue()

    def deserialize(self, stream: Any, content_type: str) -> "npt.NDArray[Any]":
        readers: dict[str, Callable[[io.BytesIO], Any]] = {
            self.ACCEPT: lambda content: np.load(content, allow_pickle=False),
            _Json.ACCEPT: json.load,
            _Csv.ACCEPT: lambda content: np.loadtxt(content, delimiter=","),
        }
        read = readers.get(content_type.split(";")[0].strip().lower())
        if read is None:
            raise _unreadable(f"the model answered with {content_type}; {', '.join(readers)} can be read as an array")
        try:
            array = np.asarray(read(io.BytesIO(stream.read())))
        except (ValueError, EOFError) as error:
            raise _unreadable(f"the model calls its answer {content_type}, but it is no array as that") from error
        if array.dtype.hasobject:
            raise _unreadable("the answer is JSON, but no array; deserializer='json' gives it as it is")
        return array


class _Json:
    """Whatever JSON can say, arrays and frames too."""

    CONTENT_TYPE = ACCEPT = "application/json"

    def serialize(self, data: object) -> str:
        try:
            return json.dumps(data, default=_plain)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"The data cannot be sent as JSON: {error}.") from error

    def deserialize(self, stream: Any, content_type: str) -> Any:
        try:
            return json.loads(stream.read())
        except ValueError as error:
            raise _unreadable(f"the answer, {content_type}, is no JSON: {error}") from error


class _Csv:
    """Rows of values, without a header; a text goes as it is. Rows of texts come."""

    CONTENT_TYPE = ACCEPT = "text/csv"

    def serialize(self, data: Any) -> str:
        if isinstance(data, str):
            return data
        try:
            rows = data if isinstance(data, list | tuple) else _plain(data)
            rows = [row if isinstance(row, list | tuple) else _plain(row) for row in _as_rows(rows)]
        except TypeError as error:
            raise ConfigError(f"The data cannot be sent as CSV: {error}.") from error
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue()

    def deserialize(self, stream: Any, content_type: str) -> list[list[str]]:
        try:
            return list(csv.reader(io.StringIO(stream.read().decode())))
        except ValueError as error:
            raise _unreadable(f"the answer, {content_type}, is no text: {error}") from error


def _as_rows(values: Any) -> Any:
    """Return rows; bare values are one row."""
    is_one_row = len(values) > 0 and (isinstance(values[0], str) or not hasattr(values[0], "__len__"))
    return [values] if is_one_row else values


class _Bytes:
    """What is given goes as it is, and what is answered comes as it is."""

    CONTENT_TYPE, ACCEPT = "application/octet-stream", "*/*"

    def serialize(self, data: object) -> object:
        if not isinstance(data, bytes | bytearray | str) and not hasattr(data, "read"):
            raise ConfigError(f"Got a {type(data).__name__}; serializer='bytes' sends bytes, a text or an open file.")
        return data

    def deserialize(self, stream: Any, content_type: str) -> bytes:  # noqa: ARG002 - the protocol's
        return bytes(stream.read())


_NAMED: dict[str, Callable[[], Any]] = {"numpy": _Numpy, "json": _Json, "csv": _Csv, "bytes": _Bytes}


def _plain(value: Any) -> Any:
    """Return an array, a frame or one of numpy's numbers as Python's own values."""
    for make in ("tolist", "to_numpy"):
        if hasattr(value, make):
            made = getattr(value, make)()
            return _plain(made) if hasattr(made, "tolist") else made
    raise TypeError(f"{type(value).__name__} is not one of its types")


def _unreadable(said: str) -> ServiceError:
    return ServiceError("UnreadableAnswer", "InvokeEndpoint", said)
