"""
Formats of requests and responses: how data is sent to an endpoint, and how its response is read.

numpy is imported when an array is sent or read: most commands need none of its 0.1 s.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from mnist_tracking.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Deserializer", "Format", "Serializer"]

Format = Literal["numpy", "json", "csv", "bytes"]


class Serializer(Protocol):
    """Turns data into the body of a request, such as any of ``sagemaker.serializers``."""

    @property
    def CONTENT_TYPE(self) -> str:  # noqa: N802 - the SDK's name
        """The media type of what `serialize` returns."""

    def serialize(self, data: Any) -> Any:
        """Return the body: bytes, a string or an open file."""


class Deserializer(Protocol):
    """Reads the body of a response, such as any of ``sagemaker.deserializers``."""

    @property
    def ACCEPT(self) -> str | Iterable[str]:  # noqa: N802 - the SDK's name
        """The media type to request, or several."""

    def deserialize(self, stream: Any, content_type: str) -> Any:
        """Read a response from *stream*, which has ``read`` and ``close``."""


def serializer_of(given: "Serializer | Format | None") -> Serializer:
    """
    Return a serializer, given one or its name; NumPy's by default.

    Raises:
        ConfigError: If it is neither.
    """
    serializer: Serializer = _of("serializer", given, "serialize")
    return serializer


def deserializer_of(given: "Deserializer | Format | None", serializer: "Serializer | Format | None") -> Deserializer:
    """
    Return a deserializer, given one or its name; by default the counterpart of a named serializer.

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
        raise ConfigError(f"{what}={given!r}; expected one of {names}, or an object with the method {method}().")
    return given


def named_by(serializer: "Serializer | Format | None", deserializer: "Deserializer | Format | None") -> str | None:
    """
    Return formats that were given by name in the form that an endpoint's tag stores; None if one has no name.

    Example:
        >>> named_by("json", None), named_by(None, "csv"), named_by(None, None)
        ('json', 'numpy/csv', None)
    """
    names = [name for name in (serializer or "numpy", deserializer) if name is not None]
    if (serializer, deserializer) == (None, None) or not all(isinstance(name, str) for name in names):
        return None
    return "/".join(map(str, names))


def formats_in(tag: str | None) -> tuple[Format | None, Format | None]:
    """
    Return the names of the serializer and the deserializer in an endpoint's tag.

    Example:
        >>> formats_in("numpy/csv"), formats_in("json"), formats_in("digits")
        (('numpy', 'csv'), ('json', None), (None, None))
    """
    serializer, _, deserializer = (tag or "").partition("/")
    return _known(serializer), _known(deserializer)


def _known(name: str) -> Format | None:
    return cast("Format", name) if name in _NAMED else None


def accept_header(deserializer: Deserializer) -> str:
    """Return the Accept header of a deserializer."""
    accept = deserializer.ACCEPT
    return accept if isinstance(accept, str) else ", ".join(accept)


def as_array(data: "npt.ArrayLike") -> "npt.NDArray[Any]":
    """
    Return *data* as an array that can be sent.

    Raises:
        ConfigError: If it is ragged, or an array of Python objects.
    """
    import numpy as np

    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ConfigError(f"The data is not an array: {error}") from error
    if array.dtype.hasobject:
        raise ConfigError(f"Got an array of dtype {array.dtype}; Python objects cannot be sent.")
    return array


class _Numpy:
    """Sends arrays as npy; reads npy, JSON or CSV responses as arrays."""

    CONTENT_TYPE = ACCEPT = "application/x-npy"

    def serialize(self, data: "npt.ArrayLike") -> bytes:
        import numpy as np

        body = io.BytesIO()
        np.save(body, as_array(data), allow_pickle=False)
        return body.getvalue()

    def deserialize(self, stream: Any, content_type: str) -> "npt.NDArray[Any]":
        import numpy as np

        readers: dict[str, Callable[[io.BytesIO], Any]] = {
            self.ACCEPT: lambda content: np.load(content, allow_pickle=False),
            _Json.ACCEPT: json.load,
            _Csv.ACCEPT: lambda content: np.loadtxt(content, delimiter=","),
        }
        read = readers.get(content_type.split(";")[0].strip().lower())
        if read is None:
            raise _unreadable(f"the model returned {content_type}; expected one of {', '.join(readers)} for an array")
        try:
            array = np.asarray(read(io.BytesIO(stream.read())))
        except (ValueError, EOFError) as error:
            raise _unreadable(
                f"the response has the content type {content_type}, but is not an array in that format"
            ) from error
        if array.dtype.hasobject:
            raise _unreadable("the response is JSON, but not an array; deserializer='json' returns it as it is")
        return array


class _Json:
    """Sends and reads JSON; arrays and frames become lists."""

    CONTENT_TYPE = ACCEPT = "application/json"

    def serialize(self, data: object) -> str:
        try:
            return json.dumps(data, default=_to_python)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"The data cannot be sent as JSON: {error}.") from error

    def deserialize(self, stream: Any, content_type: str) -> Any:
        try:
            return json.loads(stream.read())
        except ValueError as error:
            raise _unreadable(f"the response, {content_type}, is not JSON: {error}") from error


class _Csv:
    """Sends rows of values without a header, or a string as it is; reads rows of strings."""

    CONTENT_TYPE = ACCEPT = "text/csv"

    def serialize(self, data: Any) -> str:
        if isinstance(data, str):
            return data
        try:
            rows = data if isinstance(data, list | tuple) else _to_python(data)
            rows = [row if isinstance(row, list | tuple) else _to_python(row) for row in _as_rows(rows)]
        except TypeError as error:
            raise ConfigError(f"The data cannot be sent as CSV: {error}.") from error
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue()

    def deserialize(self, stream: Any, content_type: str) -> list[list[str]]:
        try:
            return list(csv.reader(io.StringIO(stream.read().decode())))
        except ValueError as error:
            raise _unreadable(f"the response, {content_type}, is not text: {error}") from error


def _as_rows(values: Any) -> Any:
    """Return rows; plain values are one row."""
    is_one_row = len(values) > 0 and (isinstance(values[0], str) or not hasattr(values[0], "__len__"))
    return [values] if is_one_row else values


class _Bytes:
    """Sends and returns bytes as they are."""

    CONTENT_TYPE, ACCEPT = "application/octet-stream", "*/*"

    def serialize(self, data: object) -> object:
        if not isinstance(data, bytes | bytearray | str) and not hasattr(data, "read"):
            raise ConfigError(f"Got a {type(data).__name__}; serializer='bytes' sends bytes, a string or an open file.")
        return data

    def deserialize(self, stream: Any, content_type: str) -> bytes:  # noqa: ARG002 - the protocol's
        return bytes(stream.read())


_NAMED: dict[str, Callable[[], Any]] = {"numpy": _Numpy, "json": _Json, "csv": _Csv, "bytes": _Bytes}


def _to_python(value: Any) -> Any:
    """Return an array, a frame or a NumPy scalar as Python values."""
    for make in ("tolist", "to_numpy"):
        if hasattr(value, make):
            made = getattr(value, make)()
            return _to_python(made) if hasattr(made, "tolist") else made
    raise TypeError(f"{type(value).__name__} cannot be converted")


def _unreadable(detail: str) -> ServiceError:
    return ServiceError("UnreadableAnswer", "InvokeEndpoint", detail)
