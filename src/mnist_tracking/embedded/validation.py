"""
Check a request as the service does: required members, patterns, limits and enums, from botocore's own service model.

botocore itself checks required members, types, minimum lengths and unknown names, unless its client has
``parameter_validation=False``. The wording of the errors is the one that AWS's services share.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from mnist_tracking.embedded.faults import ValidationFault

Constraint = tuple[str, Callable[[Any], bool]]
"""AWS's sentence, and a function that returns whether a value violates it."""

Constraints = Callable[[Shape], Iterable[Constraint]]

_known: WeakKeyDictionary[Shape, list[Constraint]] = WeakKeyDictionary()
_CODES = {  # where it is not SageMaker's ValidationException
    "s3": "InvalidRequest",
    "sagemaker-runtime": "ValidationError",
    "logs": "InvalidParameterException",
    "iam": "ValidationError",
    "sts": "ValidationError",
    "cloudwatch": "ValidationError",
}
_LONGEST_SHOWN = 256
_LARGEST = {"integer": 2**31 - 1, "long": 2**63 - 1}
_SMALLEST = {"integer": -(2**31), "long": -(2**63)}
_SIZED = ("string", "list", "map", "blob")
_OWN_RULES = frozenset({"s3"})  # for all but minima, in services/s3
_JAVA_CLASSES = {  # classes of Java's regular expressions that Python's lack; nearly all stand inside a character class
    r"\p{L}": r"\w",
    r"\p{M}": r"\u0300-\u036f\u0483-\u0489",
    r"\p{N}": r"\d",
    r"\p{P}": r"!-#%-*,-/:;?@\[-\]_{}\u00a1\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf\u2010-\u2027\u2030-\u205e\u3001-\u3003",
    r"\p{S}": r"$+<=>^`|~\u00a2-\u00a9\u00ac-\u00b4\u00b8\u00d7\u00f7\u2044\u20a0-\u20c0\u2100-\u2bff",
    r"\p{Z}": r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{ASCII}": r"[\x00-\x7f]",
    r"\p{Print}": " -~",
    r"\z": r"\Z",
}


def fault_code(service: str) -> str:
    """Return a service's code for a request that violates the service model."""
    return _CODES.get(service, ValidationFault.code)


def check_required(model: OperationModel, params: dict[str, Any]) -> None:
    """
    Check that all required members are given; a request cannot be built otherwise, if they are part of its URL.

    Raises:
        ValidationFault: With one sentence for each missing member.
    """
    if model.input_shape is not None:
        problems = [
            f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
            for path in _missing(model.input_shape, params, "")
        ]
        _raise_if_any(model, problems)


def _missing(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        yield from (_join(path, name) for name in shape.required_members if name not in value)
    for inner, item, here in _inside(shape, value, path):
        yield from _missing(inner, item, here)


def check_request(model: OperationModel, params: dict[str, Any]) -> None:
    """
    Check parameters of the right types against an operation's input shape.

    Raises:
        ValidationFault: With one sentence for each violated constraint.
    """
    if model.input_shape is not None:
        has_own_rules = model.service_model.service_name in _OWN_RULES
        problems: list[str] = []
        _check(model.input_shape, params, "", problems, _minima if has_own_rules else _constraints)
        _raise_if_any(model, problems)


def _raise_if_any(model: OperationModel, problems: list[str]) -> None:
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        message = f"{len(problems)} validation {noun} detected: " + "; ".join(problems)
        raise ValidationFault(message, code=fault_code(model.service_model.service_name))


def _check(shape: Shape, value: Any, path: str, problems: list[str], constraints: Constraints) -> None:
    for sentence, is_violated in constraints(shape):
        if is_violated(value):
            problems.append(f"Value{_quoted(shape, value)} at '{path}' failed to satisfy constraint: {sentence}")
    for inner, item, here in _inside(shape, value, path):
        _check(inner, item, here, problems, constraints)


def _inside(shape: Shape, value: Any, path: str) -> Iterator[tuple[Shape, Any, str]]:
    """Yield the shape, value and path of each member, item, key and value."""
    match shape:
        case StructureShape():
            for name, member in value.items():
                if name in shape.members:  # botocore adds some of its own
                    yield shape.members[name], member, _join(path, name)
        case ListShape():
            for number, item in enumerate(value, start=1):
                yield shape.member, item, f"{path}.{number}.member"
        case MapShape():
            for key, item in value.items():
                yield shape.key, key, f"{path}.{key}.key"
                yield shape.value, item, f"{path}.{key}.member"


def _join(path: str, name: str) -> str:
    here = name[0].lower() + name[1:]
    return f"{path}.{here}" if path else here


def _quoted(shape: Shape, value: Any) -> str:
    """Quote a string or number, shortened if it is long, but nothing that is or may contain a secret."""
    if shape.metadata.get("sensitive") or not isinstance(value, (str, int, float)):
        return ""
    text = str(value)
    return f" '{text}'" if len(text) <= _LONGEST_SHOWN else f" '{text[:_LONGEST_SHOWN]}...'"


def _constraints(shape: Shape) -> list[Constraint]:
    """Return the constraints of a shape; read once for each shape of a client's service model."""
    found = _known.get(shape)
    if found is None:
        found = _known[shape] = list(_read_constraints(shape))
    return found


def _read_constraints(shape: Shape) -> Iterator[Constraint]:
    metadata = shape.metadata
    if choices := tuple(metadata.get("enum", ())):
        yield _enum(choices)
    if shape.type_name == "string" and (pattern := metadata.get("pattern")):
        yield _pattern(pattern)
    yield from _minima(shape)
    if (most := metadata.get("max", _LARGEST.get(shape.type_name))) is not None:
        yield _maximum(most, shape.type_name in _SIZED)


def _minima(shape: Shape) -> Iterator[Constraint]:
    if (least := shape.metadata.get("min", _SMALLEST.get(shape.type_name))) is not None:
        yield _minimum(least, shape.type_name in _SIZED)


@cache
def _enum(choices: tuple[str, ...]) -> Constraint:
    sentence = f"Member must satisfy enum value set: [{', '.join(choices)}]"
    return sentence, lambda value: value not in choices


@cache
def _pattern(pattern: str) -> Constraint:
    matcher = _compiled(pattern)
    return (
        f"Member must satisfy regular expression pattern: {pattern}",
        lambda value: matcher.fullmatch(value) is None,
    )


@cache
def _minimum(least: float, is_length: bool) -> Constraint:
    if is_length:
        return (
            f"Member must have length greater than or equal to {least}",
            lambda value: hasattr(value, "__len__") and len(value) < least,
        )
    return f"Member must have value greater than or equal to {least}", lambda value: value < least


@cache
def _maximum(most: float, is_length: bool) -> Constraint:
    if is_length:
        return (
            f"Member must have length less than or equal to {most}",
            lambda value: hasattr(value, "__len__") and len(value) > most,
        )
    return f"Member must have value less than or equal to {most}", lambda value: value > most


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    flags = re.NOFLAG if r"\p{" in pattern else re.ASCII  # Java's \w and \d are ASCII's
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern, flags)
