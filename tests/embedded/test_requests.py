"""How requests are read that botocore has not checked, and what becomes of a handler's own errors."""

import logging
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.registry import OPERATIONS, Call
from mnist_tracking.errors import ConfigError


def unchecked(engine: EmbeddedSageMaker, service: Any = "sagemaker") -> Any:
    """A client that sends whatever it is given."""
    return engine.session().client(service, config=Config(parameter_validation=False, retries={"max_attempts": 0}))


def error_of(call: Any, **params: Any) -> tuple[str, int]:
    """The code and the status of a rejected call."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    "name", [5, 5.5, True, b"digits", ["digits"], {"a": 1}, {"a"}, object(), "\ud800", datetime.now]
)
def test_value_of_the_wrong_type_is_rejected(engine: EmbeddedSageMaker, name: Any) -> None:
    """By AWS's parser, before anything else looks at it."""
    assert error_of(unchecked(engine).create_experiment, ExperimentName=name) == ("SerializationException", 400)


@pytest.mark.parametrize("tags", [5, "text", b"", {}, {"Key": "k"}, [5], [None], [["Key", "k"]], {("k", "v")}])
def test_wrong_container_is_rejected(engine: EmbeddedSageMaker, tags: Any) -> None:
    code, _ = error_of(unchecked(engine).create_experiment, ExperimentName="digits", Tags=tags)

    assert code == "SerializationException"


@pytest.mark.parametrize("step", [10**400, -(10**400), 2**63, "1", 1.0, True])
def test_wrong_integer_is_rejected(engine: EmbeddedSageMaker, step: Any) -> None:
    data = [{"MetricName": "loss", "Value": 1.0, "Timestamp": 0, "Step": step}]
    code, _ = error_of(
        unchecked(engine, "sagemaker-metrics").batch_put_metrics, TrialComponentName="a", MetricData=data
    )

    assert code == "SerializationException"


@pytest.mark.parametrize("number", [10**400, Decimal("sNaN"), "0.5"])
def test_number_beyond_a_double_is_rejected(engine: EmbeddedSageMaker, number: Any) -> None:
    """The largest double is not."""
    client = unchecked(engine)
    client.create_trial_component(TrialComponentName="a", Parameters={"large": {"NumberValue": 1.7e308}})
    parameters = {"lr": {"NumberValue": number}}

    assert error_of(client.update_trial_component, TrialComponentName="a", Parameters=parameters)[0] == (
        "SerializationException"
    )
    assert client.describe_trial_component(TrialComponentName="a")["Parameters"] == {"large": {"NumberValue": 1.7e308}}


@pytest.mark.parametrize(
    "moment",
    [
        10**20,
        10**400,
        float("nan"),
        "yesterday",
        "",
        date(2026, 1, 1),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        datetime.max.replace(tzinfo=UTC),
    ],
)
@pytest.mark.parametrize("is_checked", [True, False])
def test_time_that_no_response_can_show_is_rejected(engine: EmbeddedSageMaker, moment: Any, is_checked: bool) -> None:
    """botocore's own check fails on some of these, with errors of its own."""
    client = engine.session().client("sagemaker", config=Config(parameter_validation=is_checked))
    client.create_trial_component(TrialComponentName="a")

    with pytest.raises((ClientError, ParamValidationError), match=r"SerializationException|Invalid type for parameter"):
        client.update_trial_component(TrialComponentName="a", EndTime=moment)


def test_naive_time_is_local_time(engine: EmbeddedSageMaker) -> None:
    """As for botocore."""
    client = engine.session().client("sagemaker")
    moment = datetime(2026, 11, 24, 12)
    client.create_trial_component(TrialComponentName="a", StartTime=moment)

    assert client.describe_trial_component(TrialComponentName="a")["StartTime"] == moment.astimezone(UTC)


def test_unknown_members_and_nulls_are_ignored(engine: EmbeddedSageMaker) -> None:
    """As on AWS; botocore would not send them."""
    client = unchecked(engine)
    client.create_experiment(
        ExperimentName="digits", Colour="red", Description=None, Tags=[{"Key": "k", "Value": "v", "Colour": {}}]
    )

    assert "Description" not in client.describe_experiment(ExperimentName="digits")


@pytest.mark.parametrize(
    ("service", "call", "params", "code"),
    [
        ("sagemaker", "describe_experiment", {}, "ValidationException"),
        ("sagemaker", "create_experiment", {"ExperimentName": ""}, "ValidationException"),
        ("sagemaker", "add_tags", {"ResourceArn": "arn", "Tags": [{"Key": "k"}]}, "ValidationException"),
        ("sagemaker-runtime", "invoke_endpoint", {}, "ValidationError"),
        ("s3", "put_object", {"Bucket": "a-bucket"}, "InvalidRequest"),
        ("logs", "get_log_events", {}, "InvalidParameterException"),
        ("iam", "get_role", {}, "ValidationError"),
    ],
)
def test_missing_and_empty_members_are_rejected(
    engine: EmbeddedSageMaker, service: str, call: str, params: dict[str, Any], code: str
) -> None:
    assert error_of(getattr(unchecked(engine, service), call), **params) == (code, 400)


def test_several_missing_members_are_named(engine: EmbeddedSageMaker) -> None:
    with pytest.raises(
        ClientError, match="2 validation errors detected: Value null at 'resourceArn' failed to"
    ) as caught:
        unchecked(engine).add_tags(Tags=[{"Key": "k"}])

    assert "Value null at 'tags.1.member.value'" in str(caught.value)


@pytest.mark.parametrize("is_checked", [True, False])
@pytest.mark.parametrize("levels", [100, 5000])
def test_deep_nesting_is_rejected(engine: EmbeddedSageMaker, is_checked: bool, levels: int) -> None:
    """Before botocore's recursion, or ours, ends in a RecursionError."""
    client = engine.session().client("sagemaker", config=Config(parameter_validation=is_checked))
    expression: dict[str, Any] = {"Filters": [{"Name": "DisplayName", "Operator": "Exists"}]}
    for _ in range(levels):
        expression = {"SubExpressions": [expression]}

    assert error_of(client.search, Resource="Experiment", SearchExpression=expression)[0] == "ValidationException"


def test_other_errors_of_a_handler_are_internal_failures(
    engine: EmbeddedSageMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The error that a handler raised is the cause, and is logged; the call is not retried."""
    cause = KeyError("surprise")

    def fail(_: Call) -> dict[str, Any]:
        raise cause

    monkeypatch.setitem(OPERATIONS, ("sagemaker", "ListExperiments"), fail)
    with caplog.at_level(logging.ERROR), pytest.raises(ClientError, match=r"InternalFailure.*KeyError") as caught:
        engine.session().client("sagemaker").list_experiments()

    assert caught.value.__cause__ is cause
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert [record.getMessage() for record in caplog.records] == ["sagemaker:ListExperiments failed"]


def test_errors_for_the_user_stay(engine: EmbeddedSageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """This library's own errors, which users read, do not become an InternalFailure."""

    def fail(_: Call) -> dict[str, Any]:
        raise ConfigError("The home has moved.")

    monkeypatch.setitem(OPERATIONS, ("sagemaker", "ListExperiments"), fail)
    with pytest.raises(ConfigError, match="has moved"):
        engine.session().client("sagemaker").list_experiments()


def test_metrics_of_any_finite_size_are_summarised(engine: EmbeddedSageMaker) -> None:
    """And found by Search; what is no double is rejected."""
    client, metrics = engine.session().client("sagemaker"), engine.session().client("sagemaker-metrics")
    client.create_trial_component(TrialComponentName="a")

    def put(name: str, value: Any) -> Any:
        data: Any = [{"MetricName": name, "Value": value, "Timestamp": datetime.now(UTC)}]
        return metrics.batch_put_metrics(TrialComponentName="a", MetricData=data)

    for value in (1.7e308, -1.7e308, 5e-324):
        assert "Errors" not in put("loss", value)
    for name, value in (("loss", 10**400), ("\ud800", 1.0)):
        with pytest.raises(ClientError, match="SerializationException"):
            put(name, value)
    (found,) = client.describe_trial_component(TrialComponentName="a")["Metrics"]

    assert (found["Min"], found["Max"], found["StdDev"]) == (-1.7e308, 1.7e308, sys.float_info.max)
    for filters in (("Metrics.loss.StdDev", "GreaterThan", "1e308"), ("Metrics.loss.Avg", "LessThan", "1")):
        expression: Any = {"Filters": [dict(zip(("Name", "Operator", "Value"), filters, strict=True))]}
        results = client.search(Resource="ExperimentTrialComponent", SearchExpression=expression)["Results"]
        assert len(results) == 1
