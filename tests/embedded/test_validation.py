import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from botocore.loaders import create_loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.registry import OPERATIONS
from mnist_tracking.embedded.validation import _compiled


def patterns(shape: Shape, seen: set[str]) -> Iterator[str]:
    """Every pattern within a shape."""
    if shape.name in seen:
        return
    seen.add(shape.name)
    if pattern := shape.metadata.get("pattern"):
        yield pattern
    match shape:
        case StructureShape():
            inner = list(shape.members.values())
        case ListShape():
            inner = [shape.member]
        case MapShape():
            inner = [shape.key, shape.value]
        case _:
            inner = []
    for member in inner:
        yield from patterns(member, seen)


def implemented_shapes() -> Iterator[Shape]:
    """The input shape of every supported operation."""
    models = {}
    for service, operation in OPERATIONS:
        if service not in models:
            models[service] = ServiceModel(create_loader().load_service_model(service, "service-2"), service)
        if shape := models[service].operation_model(operation).input_shape:
            yield shape


def test_every_pattern_compiles() -> None:
    """AWS's patterns are Java's; each of an implemented operation compiles here, without a warning."""
    found = {pattern for shape in implemented_shapes() for pattern in patterns(shape, set())}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = [_compiled(pattern) for pattern in sorted(found)]

    assert len(compiled) > 50
    assert all(isinstance(pattern, re.Pattern) for pattern in compiled)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", "Gruppe ä: 1/2", "a;b"),
        (r"[\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*", "a-b [c] {d} €", "a\nb"),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}", "a--b", "a-"),
        (r"^[\w]+\z", "abc", "abc\n"),
        (r"[-\w]+\/[-\w+]+", "text/csv", "t\u00e9xt/csv"),
        (r"\d+", "12", "\u0661\u0662"),
    ],
)
def test_java_classes_are_translated(pattern: str, good: str, bad: str) -> None:
    """Letters, spaces, symbols and punctuation of any script; otherwise, word characters and digits are ASCII."""
    assert _compiled(pattern).fullmatch(good)
    assert not _compiled(pattern).fullmatch(bad)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"ExperimentName": "bad_name!"},
            "1 validation error detected: Value 'bad_name!' at 'experimentName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}",
        ),
        (
            {"ExperimentName": "ok", "Description": "d" * 3073},
            f"1 validation error detected: Value '{'d' * 256}...' at 'description' failed to satisfy constraint: "
            "Member must have length less than or equal to 3072",
        ),
        (
            {"ExperimentName": "ok", "Tags": [{"Key": "k", "Value": "v" * 257}]},
            f"1 validation error detected: Value '{'v' * 256}...' at 'tags.1.member.value' failed to satisfy "
            "constraint: Member must have length less than or equal to 256",
        ),
        ({"ExperimentName": "x" * 121, "DisplayName": "-"}, "3 validation errors detected: "),
    ],
)
def test_error_has_aws_wording(engine: EmbeddedSageMaker, params: dict[str, Any], message: str) -> None:
    """One sentence for each violated constraint, with the value and its path."""
    with pytest.raises(ClientError) as caught:
        engine.session().client("sagemaker").create_experiment(**params)

    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith(message)


@pytest.mark.parametrize(
    ("params", "constraint"),
    [
        ({"SortBy": "Colour"}, "Member must satisfy enum value set: [Name, CreationTime]"),
        ({"MaxResults": 101}, "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less"),
    ],
)
def test_enums_and_ranges_are_checked(engine: EmbeddedSageMaker, params: dict[str, Any], constraint: str) -> None:
    """botocore itself lets these pass."""
    with pytest.raises(ClientError, match=re.escape(constraint)):
        engine.session().client("sagemaker").list_experiments(**params)


def test_keys_and_values_of_maps_are_checked(engine: EmbeddedSageMaker) -> None:
    """Both name the key."""
    parameters = {"k" * 321: {"StringValue": "v"}, "k": {"StringValue": "v" * 2501}}
    with pytest.raises(ClientError) as caught:
        engine.session().client("sagemaker").create_trial_component(TrialComponentName="a", Parameters=parameters)  # type: ignore[arg-type]

    message = caught.value.response["Error"]["Message"]
    assert message.startswith("2 validation errors detected")
    assert f"'parameters.{'k' * 321}.key'" in message
    assert "'parameters.k.member.stringValue'" in message


def test_botocores_own_checks_come_first(engine: EmbeddedSageMaker) -> None:
    """What is missing, unknown, too short or of the wrong type never reaches the engine."""
    client: Any = engine.session().client("sagemaker")
    for params in ({}, {"ExperimentName": "a", "Colour": "red"}, {"ExperimentName": ""}, {"ExperimentName": 1}):
        with pytest.raises(ParamValidationError):
            client.create_experiment(**params)


def test_body_and_sensitive_values_are_not_shown(engine: EmbeddedSageMaker) -> None:
    """What the model calls sensitive is in no message, which ends in logs; the runtime has a code of its own."""
    client = engine.session().client("sagemaker-runtime")
    with pytest.raises(client.exceptions.ValidationError) as caught:
        client.invoke_endpoint(EndpointName="digits", Body=b"secret" * (2 << 20), CustomAttributes="secret é")

    message = caught.value.response["Error"]["Message"]
    assert message.startswith("2 validation errors detected: Value at 'body' failed to satisfy constraint: ")
    assert "secret" not in message


def test_lists_are_not_shown(engine: EmbeddedSageMaker) -> None:
    """What they hold may be sensitive, and is long."""
    tags: Any = [{"Key": f"k{number}", "Value": "secret"} for number in range(51)]
    with pytest.raises(ClientError) as caught:
        engine.session().client("sagemaker").create_experiment(ExperimentName="digits", Tags=tags)

    assert caught.value.response["Error"]["Message"] == (
        "1 validation error detected: Value at 'tags' failed to satisfy constraint: "
        "Member must have length less than or equal to 50"
    )


@pytest.mark.parametrize(
    ("service", "call", "params", "code"),
    [
        ("logs", "describe_log_streams", {"logGroupName": "a b"}, "InvalidParameterException"),
        ("iam", "get_role", {"RoleName": "a b"}, "ValidationError"),
    ],
)
def test_each_service_has_its_own_code(
    engine: EmbeddedSageMaker, service: Any, call: str, params: dict[str, Any], code: str
) -> None:
    """As their own documentation lists under common errors."""
    with pytest.raises(ClientError) as caught:
        getattr(engine.session().client(service), call)(**params)

    assert caught.value.response["Error"]["Code"] == code


def test_integers_have_a_size(engine: EmbeddedSageMaker) -> None:
    """Numbers beyond the service's integers are rejected before they reach the store."""
    data: Any = [{"MetricName": "loss", "Value": 1.0, "Timestamp": 0, "Step": 2**31}]
    with pytest.raises(ClientError, match="less than or equal to 2147483647"):
        engine.session().client("sagemaker-metrics").batch_put_metrics(TrialComponentName="a", MetricData=data)
