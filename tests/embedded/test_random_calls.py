"""Whatever a client sends, it gets an answer of AWS's: 4,000 random calls of all operations."""

from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tests.support.random_calls import RandomCalls, quotas_of_nothing

from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.embedded.registry import OPERATIONS
from mnist_tracking.errors import UnsupportedOperationError

ROUNDS = {0.3: 14, 0.1: 13}  # how hostile the calls are: how many of each operation


@pytest.mark.parametrize("is_checked", [True, False], ids=["checked by botocore", "not checked by botocore"])
def test_random_calls_get_answers_of_aws(tmp_path: Path, is_checked: bool) -> None:
    """No other error comes through; `conftest` holds each response to the service model."""
    engine = EmbeddedSageMaker(tmp_path / "home", quotas=quotas_of_nothing())
    session: Any = engine.session()
    fill(session)
    config = Config(parameter_validation=is_checked, retries={"max_attempts": 0})
    clients = {service: session.client(service, config=config) for service, _ in OPERATIONS}
    outcomes = [
        outcome(clients[service], operation, calls.params(service, operation))
        for hostility, rounds in ROUNDS.items()
        for calls in [RandomCalls(9, hostility)]
        for _ in range(rounds)
        for service, operation in OPERATIONS
    ]
    engine.close()

    assert len(outcomes) > 1990
    assert [what for what in outcomes if "InternalFailure" in what] == []
    assert {"answered", "ValidationException", "SerializationException", "ResourceNotFound"} <= set(outcomes)


def fill(session: Any) -> None:
    """Make what random calls can find."""
    client, s3 = session.client("sagemaker"), session.client("s3")
    for name in ("a", "b-1", "Digits"):
        client.create_experiment(ExperimentName=name, Tags=[{"Key": "team", "Value": "cv"}])
        client.create_trial(TrialName=name, ExperimentName=name)
        client.create_trial_component(
            TrialComponentName=name, Parameters={"lr": {"NumberValue": 0.5}, "a": {"StringValue": "b"}}
        )
        client.associate_trial_component(TrialName=name, TrialComponentName=name)
    for bucket in ("a-bucket", "another.bucket"):
        s3.create_bucket(Bucket=bucket)
        for key in ("a", "k/1", "ä"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"content")


def outcome(client: Any, operation: str, params: dict[str, Any]) -> str:
    """Make a call, and return what came of it."""
    try:
        response = getattr(client, xform_name(operation))(**params)
    except (UnsupportedOperationError, BotoCoreError) as error:  # the latter: what botocore rejects by itself
        return type(error).__name__
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        return code if code != "InternalFailure" else f"{code} of {operation}, {params}: {error.__cause__!r}"
    if "Body" in response:
        response["Body"].close()
    return "answered"
