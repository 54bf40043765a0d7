"""
Read a request as AWS's parsers do: types, encodings and nesting, by the shapes of botocore's own service model.

botocore checks types only with ``parameter_validation``, and lets pass what no parser accepts, such as half of a
surrogate pair or a time before the year 1. What is read here is plain: handlers get members of the model only, each of
its type, whatever the client was called with.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from botocore.model import OperationModel
from botocore.utils import parse_to_aware_datetime

from mnist_tracking.embedded.faults import SerializationFault, ValidationFault
from mnist_tracking.embedded.times import as_datetime
from mnist_tracking.embedded.validation import fault_code

_DEEPEST = 128
_LONG = 2**63
_CODES = {  # where it is not SerializationException
    "s3": "MalformedXML",
    "iam": "MalformedInput",
    "sts": "MalformedInput",
    "cloudwatch": "MalformedInput",
}
_CONVERTED: dict[str, tuple[type, ...]] = {  # parameters of S3 that botocore converts, and from which other types
    "CopySource": (dict,),
    "SSECustomerKey": (bytes, bytearray),
    "CopySourceSSECustomerKey": (bytes, bytearray),
}


def deserialise(model: OperationModel, params: Mapping[str, Any], *, is_strict: bool) -> dict[str, Any]:
    """
    Return the parameters of a call in plain types: strings, numbers, aware UTC datetimes, lists and dictionaries.

    Args:
        model: The operation.
        params: As given to the client.
        is_strict: Whether unknown members, and members that are None, are errors; AWS itself ignores them.

    Raises:
        SerializationFault: If a value has another type than the model's, or one that cannot be encoded.
        ValidationFault: If values are nested too deeply.
    """
    service = model.service_model.service_name
    if model.input_shape is None:
        return {}
    try:
        own = _converted_later(params) if service == "s3" else {}
        rest = {name: value for name, value in params.items() if name not in own}
        return {**_Reader(is_strict).structure(model.input_shape, rest, model.name, 0), **own}
    except SerializationFault as fault:
        raise SerializationFault(fault.message, code=_CODES.get(service)) from fault.__cause__
    except RecursionError:
        raise ValidationFault("The request is nested too deeply.", code=fault_code(service)) from None


def _converted_later(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that botocore converts into the types of the model after this check."""
    own = {name: params[name] for name, types in _CONVERTED.items() if isinstance(params.get(name), types)}
    if isinstance(source := own.get("CopySource"), dict):
        for name, value in source.items():
            _string(value, f"CopySource.{name}")
    return own


def without_own_forms(model: OperationModel, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in which a string stands for each that botocore accepts in another form than the model's."""
    own = _converted_later(params) if model.service_model.service_name == "s3" else {}
    return {**params, **dict.fromkeys(own, "")}


class _Reader:
    """Reads a value by its shape; `structure`, `list` and `map` are called with the shape, the value, and its place."""

    def __init__(self, is_strict: bool) -> None:
        self._is_strict = is_strict

    def structure(self, shape: Any, value: Any, name: str, depth: int) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _mismatch(value, name, "a structure")
        members, found = shape.members, {}
        for member, item in value.items():
            if member in members and item is not None:
                found[member] = self._read(members[member], item, member, depth + 1)
            elif self._is_strict:
                raise SerializationFault(f"{name} has no member {member!r}, or it is null.")
        return found

    def list(self, shape: Any, value: Any, name: str, depth: int) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise _mismatch(value, name, "a list")
        return [self._read(shape.member, item, name, depth + 1) for item in value]

    def map(self, shape: Any, value: Any, name: str, depth: int) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _mismatch(value, name, "a map")
        return {_string(key, name): self._read(shape.value, item, name, depth + 1) for key, item in value.items()}

    def _read(self, shape: Any, value: Any, name: str, depth: int) -> Any:
        if scalar := _SCALARS.get(shape.type_name):
            return scalar(value, name)
        if depth > _DEEPEST:
            raise RecursionError
        return getattr(self, shape.type_name)(shape, value, name, depth)


def _string(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _mismatch(value, name, "a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SerializationFault(f"The string at {name!r} is not valid Unicode.") from error
    return value


def _boolean(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(value, name, "a boolean")
    return value


def _integer(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _mismatch(value, name, "an integer")
    if not -_LONG <= value < _LONG:
        raise SerializationFault(f"The integer at {name!r} is out of range.")
    return value


def _number(value: Any, name: str) -> float:
    if not isinstance(value, (float, int, Decimal)):
        raise _mismatch(value, name, "a number")
    try:
        return float(value)
    except (OverflowError, ValueError) as error:
        raise SerializationFault(f"The number at {name!r} is out of range.") from error


def _timestamp(value: Any, name: str) -> datetime:
    try:
        moment: datetime = parse_to_aware_datetime(value).astimezone(UTC)
        as_datetime(moment.timestamp())  # a response can show it, too
    except Exception as error:
        raise _mismatch(value, name, "a timestamp") from error
    return moment


def _blob(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return _string(value, name)
    if not isinstance(value, (bytes, bytearray)) and not hasattr(value, "read"):
        raise _mismatch(value, name, "bytes")
    return value


def _mismatch(value: Any, name: str, expected: str) -> SerializationFault:
    return SerializationFault(f"The value at {name!r} is of type {type(value).__name__}; expected {expected}.")


_SCALARS: dict[str, Callable[[Any, str], Any]] = {
    "string": _string,
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
    "float": _number,
    "double": _number,
    "timestamp": _timestamp,
    "blob": _blob,
}
