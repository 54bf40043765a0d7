"""A request to a model is sent once: what the model received is counted."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from tests.support.processes import until

from mnist_tracking import BestModelDeployer, ExperimentRunner, ServiceError, ThrottledError, Workspace
from mnist_tracking._aws.account import Timing
from mnist_tracking.embedded import EmbeddedSageMaker, Fault
from mnist_tracking.serving.endpoint import Endpoint

COUNTING = """
import threading
def model_fn(model_dir): return None
def transform_fn(model, body, content_type, accept):
    with open({path!r}, "a") as file: file.write("x")
    if "slow" in str(body): threading.Event().wait(0.5)
    return body, content_type
"""
Received = Callable[[], int]


@pytest.fixture
def engine_settings(naps: list[float]) -> dict[str, Any]:
    return {"sleep": naps.append}


@pytest.fixture
def workspace(engine: EmbeddedSageMaker) -> Workspace:
    return Workspace.embedded(engine=engine, timing=Timing(first_poll_s=0.02, jitter=0.0, predicted_within_s=0.2))


@pytest.fixture
def received(tmp_path: Path) -> Received:
    """Returns how many requests the model has received."""
    path = tmp_path / "received"
    return lambda: len(path.read_text()) if path.exists() else 0


@pytest.fixture
def endpoint(workspace: Workspace, tmp_path: Path) -> Iterator[Endpoint]:
    script = tmp_path / "counting.py"
    script.write_text(COUNTING.format(path=str(tmp_path / "received")))
    with ExperimentRunner(workspace, "churn").trial(name="t") as trial:
        trial.log_model(script, entry_point=script)
    with BestModelDeployer(workspace).deploy("t", name="live", serializer="json") as endpoint:
        yield endpoint


def test_slow_model_is_asked_once(engine: EmbeddedSageMaker, endpoint: Endpoint, received: Received) -> None:
    with pytest.raises(ServiceError, match="Read timeout"):
        endpoint.predict("slow")

    engine.session().client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint.name, Body=b"fast")  # in turn
    assert received() == 2


def test_client_with_default_retries_asks_again(
    engine: EmbeddedSageMaker, endpoint: Endpoint, received: Received
) -> None:
    """As on AWS, where a slow model was asked 11 times."""
    config = Config(read_timeout=0.2, retries={"mode": "adaptive", "total_max_attempts": 3})
    client = engine.session().client("sagemaker-runtime", config=config)
    with pytest.raises(ReadTimeoutError):
        client.invoke_endpoint(EndpointName=endpoint.name, Body=b"slow")

    until(lambda: received() == 3)


@pytest.mark.parametrize("code", ["InternalFailure", "ServiceUnavailable", "ConnectionClosedError", "ReadTimeoutError"])
def test_request_whose_response_is_lost_is_not_repeated(
    engine: EmbeddedSageMaker, endpoint: Endpoint, received: Received, code: str
) -> None:
    with engine.inject(Fault(code, operation="InvokeEndpoint", times=None, lost=True)), pytest.raises(ServiceError):
        endpoint.predict("fast")

    assert received() == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "ConnectTimeoutError", "EndpointConnectionError"])
def test_request_that_was_not_executed_is_repeated(
    engine: EmbeddedSageMaker, endpoint: Endpoint, received: Received, code: str
) -> None:
    with engine.inject(Fault(code, operation="InvokeEndpoint", times=2, status=429)):
        assert endpoint.predict("fast") == "fast"

    assert received() == 1


def test_throttling_that_does_not_end_is_an_error(engine: EmbeddedSageMaker, endpoint: Endpoint) -> None:
    fault = Fault("ThrottlingException", operation="InvokeEndpoint", times=None, status=429)
    with engine.inject(fault) as injection, pytest.raises(ThrottledError):
        endpoint.predict("fast")

    assert injection.failures == 8
