"""Random calls of the embedded operations, generated from botocore's service models: half sensible, half hostile."""

import random
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from io import BytesIO
from typing import Any

from botocore.loaders import create_loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

_NAMES = ("a", "b-1", "Digits", "digits", "nowhere", "a-bucket", "another.bucket", "x" * 121)
_ARNS = tuple(
    f"arn:aws:sagemaker:us-east-1:000000000000:{kind}/{name}"
    for kind in ("experiment", "experiment-trial", "experiment-trial-component", "training-job", "artifact")
    for name in ("a", "b-1", "digits")
)
_TOKENS = tuple(
    urlsafe_b64encode(text.encode()).decode()
    for text in ('{"offset": 1}', '{"offset": -1}', "[1e400, 1]", '["a", 1]', "[[]]", "[" * 3000, "null", "[1.5, 9e99]")
)
_PROPERTIES = (
    "TrialComponentName",
    "DisplayName",
    "CreationTime",
    "Parameters.lr",
    "Metrics.loss.StdDev",
    "Tags.team",
    "Parents.TrialName",
    "Status.PrimaryStatus",
    "HyperParameters.lr",
    "InputDataConfig.ChannelName",
    "InputArtifacts.a.MediaType",
    "Tags.",
    "Parents",
)
_NUMBERS_IN_TEXT = ("1", "nan", "inf", "1e999", "2026-11-24T00:00:00", "0001-01-01T00:00:00+23:59", "9" * 400)
_SENSIBLE_TEXT = (
    *_NAMES,
    *_ARNS,
    *_TOKENS,
    *_PROPERTIES,
    *_NUMBERS_IN_TEXT,
    "f/1",
    "b/3",
    "bytes=0-1",
    "s3://a-bucket/k",
)
_BY_SHAPE = {  # by how the name of a shape ends
    "BucketName": ("a-bucket", "a-bucket", "another.bucket"),
    "ObjectKey": ("a", "k/1", "k/2", "../k", "ä"),
    "PropertyName": _PROPERTIES,
    "Name": _NAMES,
    "Arn": _ARNS,
    "ARN": _ARNS,
    "Token": _TOKENS,
}
_HOSTILE_TEXT = (
    "",
    "\ud800",
    "a\udfffb",
    "\x00",
    "\n",
    "ä€𝄞",
    "x" * 5000,
    "../../etc/passwd",
    "'; DROP TABLE tags",
    "{}%s",
    "f/" + "9" * 5000,
    "f/\u0661",
    "bytes=" + "9" * 5000 + "-",
)
_WHOLE = (0, 1, 2, 10, 60, 100, 1000)
_HOSTILE_WHOLE = (-1, 101, 2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 10**30, -(10**400), True)
_REAL = (0.0, 0.5, 1, -3.25, 97)
_HOSTILE_REAL = (
    float("nan"),
    float("inf"),
    -float("inf"),
    1.7e308,
    -1.7e308,
    5e-324,
    10**400,
    Decimal("1e400"),
    Decimal("sNaN"),
    True,
)
_NOW = datetime.now(UTC)
_MOMENTS = (_NOW, _NOW - timedelta(days=1), _NOW.timestamp(), int(_NOW.timestamp()), _NOW.isoformat())
_HOSTILE_MOMENTS = (
    datetime(2026, 1, 1),
    datetime.min,
    datetime.max,
    datetime.min.replace(tzinfo=timezone(timedelta(hours=23))),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=23))),
    date(2026, 1, 1),
    10**20,
    -(10**20),
    10**400,
    float("nan"),
    float("inf"),
    "yesterday",
    "",
    "\ud800",
    "9" * 400,
    0,
    -1,
)


def _deep(levels: int) -> dict[str, Any]:
    expression: dict[str, Any] = {"Filters": [{"Name": "DisplayName", "Operator": "Exists"}]}
    for _ in range(levels):
        expression = {"SubExpressions": [expression]}
    return expression


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


_WRONG: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: 5,
    lambda: -0.5,
    lambda: "text",
    lambda: b"\xff",
    list,
    lambda: [None],
    dict,
    lambda: {"Key": None},
    lambda: {1: 2},
    lambda: {"a", "b"},
    object,
    lambda: True,
    lambda: (number for number in range(3)),
    lambda: _NOW,
    lambda: _deep(30),
    lambda: _deep(400),
    lambda: _deep(5000),
    _circle,
    lambda: "\ud800",
    lambda: 10**400,
    lambda: BytesIO(b"content"),
)


class RandomCalls:
    """
    Generates calls, the same ones for the same seed.

    Args:
        seed: Of the random numbers.
        hostility: How often a value is hostile: of the right type, or of any type.
    """

    def __init__(self, seed: int, hostility: float) -> None:
        self._random = random.Random(seed)
        self._hostility = hostility
        self._models: dict[str, ServiceModel] = {}

    def model(self, service: str, operation: str) -> OperationModel:
        """Return the model of an operation."""
        if service not in self._models:
            self._models[service] = ServiceModel(create_loader().load_service_model(service, "service-2"), service)
        return self._models[service].operation_model(operation)

    def params(self, service: str, operation: str) -> dict[str, Any]:
        """Return the parameters of one call."""
        shape = self.model(service, operation).input_shape
        params = {} if shape is None else self._structure(shape, 0)
        if operation == "CreateEndpoint" and "EndpointConfigName" in params:
            params["EndpointConfigName"] = "nowhere"  # no process is started
        return params

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _value(self, shape: Shape, depth: int) -> Any:
        if self._chance(self._hostility / 2):
            return self._random.choice(_WRONG)()
        match shape:
            case StructureShape():
                return self._structure(shape, depth + 1)
            case ListShape():
                return [self._value(shape.member, depth + 1) for _ in range(self._random.choice((0, 1, 1, 2, 3)))]
            case MapShape():
                number = self._random.choice((0, 1, 1, 2))
                return {self._text(shape.key): self._value(shape.value, depth + 1) for _ in range(number)}
        return self._scalar(shape)

    def _structure(self, shape: StructureShape, depth: int) -> dict[str, Any]:
        required = shape.metadata.get("required", ())
        optional = 0.35 if depth < 2 else 0.2
        chosen = [
            name
            for name in shape.members
            if self._chance(1 - self._hostility / 10 if name in required else optional) and depth < 12
        ]
        found = {name: self._value(shape.members[name], depth) for name in chosen}
        if self._chance(self._hostility / 20):
            found["Unknown"] = self._random.choice(_WRONG)()
        return found

    def _scalar(self, shape: Shape) -> Any:
        match shape.type_name:
            case "string":
                return self._text(shape)
            case "boolean":
                return self._chance(0.5)
            case "integer" | "long":
                return self._random.choice(_HOSTILE_WHOLE if self._chance(self._hostility) else _WHOLE)
            case "float" | "double":
                return self._random.choice(_HOSTILE_REAL if self._chance(self._hostility) else _REAL)
            case "timestamp":
                return self._random.choice(_HOSTILE_MOMENTS if self._chance(self._hostility) else _MOMENTS)
        return self._random.choice((b"", b"content", "text", "\ud800", bytearray(b"abc"), BytesIO(b"content")))

    def _text(self, shape: Shape) -> str:
        if self._chance(self._hostility / 2):
            return self._random.choice(_HOSTILE_TEXT)
        if choices := shape.metadata.get("enum"):
            return str(self._random.choice(choices))
        for ending, choices in _BY_SHAPE.items():
            if shape.name.endswith(ending):
                return self._random.choice(choices)
        return self._random.choice(_SENSIBLE_TEXT)


def quotas_of_nothing() -> dict[str, int]:
    """Return quotas under which no training job starts."""
    model = ServiceModel(create_loader().load_service_model("sagemaker", "service-2"), "sagemaker")
    return dict.fromkeys(model.shape_for("TrainingInstanceType").metadata["enum"], 0)
