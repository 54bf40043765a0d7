"""Errors on purpose."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from mnist_tracking.embedded import EmbeddedSageMaker, Fault
from mnist_tracking.errors import ConfigError

Mode = Literal["legacy", "standard", "adaptive"]
THROTTLED = Fault("ThrottlingException", operation="CreateExperiment", times=None)


class Clock:
    """A clock that is advanced by tests."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine_settings(naps: list[float], clock: Clock) -> dict[str, Any]:
    return {"sleep": naps.append, "clock": clock}


def client(engine: EmbeddedSageMaker, mode: Mode = "standard", attempts: int = 3) -> Any:
    config = Config(retries={"mode": mode, "total_max_attempts": attempts})
    return engine.session().client("sagemaker", config=config)


def refused(call: Any, **params: Any) -> dict[str, Any]:
    """The error response of a failed call."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return dict(caught.value.response)


def found(sagemaker: Any, resource: str, **expression: Any) -> list[dict[str, Any]]:
    return list(sagemaker.search(Resource=resource, SearchExpression=expression)["Results"])


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_client_retries_a_throttled_call_by_its_settings(
    engine: EmbeddedSageMaker, naps: list[float], mode: Mode
) -> None:
    with engine.inject(THROTTLED) as injection:
        response = refused(client(engine, mode, 4).create_experiment, ExperimentName="digits")

    assert (injection.failures, len(naps)) == (4, 3)
    assert response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded", "Type": "Sender"}
    metadata = response["ResponseMetadata"]
    assert (metadata["RetryAttempts"], metadata["MaxAttemptsReached"]) == (3, True)


def test_call_succeeds_when_it_fails_less_often_than_it_is_retried(engine: EmbeddedSageMaker) -> None:
    engine.inject(Fault("ThrottlingException", operation="CreateExperiment", times=2))

    response = client(engine).create_experiment(ExperimentName="digits")

    assert response["ResponseMetadata"]["RetryAttempts"] == 2
    assert client(engine).describe_experiment(ExperimentName="digits")["ExperimentName"] == "digits"


@pytest.mark.parametrize("code", ["ExpiredTokenException", "ConflictException", "ResourceLimitExceeded"])
def test_error_that_is_not_retried_is_raised_at_once(engine: EmbeddedSageMaker, naps: list[float], code: str) -> None:
    with engine.inject(Fault(code)):
        response = refused(client(engine).list_experiments)

    assert response["Error"]["Code"] == code
    assert naps == []


def test_failed_call_changes_nothing(engine: EmbeddedSageMaker) -> None:
    sagemaker = client(engine)
    with engine.inject(THROTTLED):
        refused(sagemaker.create_experiment, ExperimentName="digits")

    assert sagemaker.list_experiments()["ExperimentSummaries"] == []


def test_only_matching_calls_fail(engine: EmbeddedSageMaker) -> None:
    sagemaker = client(engine)
    fault = Fault("Odd", operation="CreateExperiment", when=lambda params: params["ExperimentName"] == "b", times=None)
    with engine.inject(fault):
        sagemaker.create_experiment(ExperimentName="a")
        refused(sagemaker.create_experiment, ExperimentName="b")
        assert len(sagemaker.list_experiments()["ExperimentSummaries"]) == 1

    sagemaker.create_experiment(ExperimentName="b")


def test_all_calls_of_a_service_can_fail_with_a_given_message(engine: EmbeddedSageMaker) -> None:
    engine.inject(Fault("AccessDenied", service="s3", times=None, message="Not you.", status=418))
    response = refused(engine.session().client("s3").list_buckets)

    assert (response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]) == ("Not you.", 418)
    assert engine.session().client("sts").get_caller_identity()["Account"] == "000000000000"


def test_first_calls_can_succeed(engine: EmbeddedSageMaker) -> None:
    sagemaker = client(engine)
    engine.inject(Fault("ExpiredTokenException", operation="ListExperiments", after=2))
    for _ in range(2):
        sagemaker.list_experiments()

    assert refused(sagemaker.list_experiments)["Error"]["Message"].endswith("token included in the request is expired")
    sagemaker.list_experiments()


def test_other_engines_on_the_same_folder_are_not_affected(engine: EmbeddedSageMaker) -> None:
    other = EmbeddedSageMaker(engine.home)
    with engine.inject(THROTTLED):
        created = client(other).create_experiment(ExperimentName="digits")
    other.close()

    assert created["ExperimentArn"].endswith(":experiment/digits")


def test_threads_share_the_count(engine: EmbeddedSageMaker) -> None:
    sagemaker = client(engine, attempts=1)
    injection = engine.inject(Fault("Odd", operation="ListExperiments", times=20))

    def call(_: int) -> bool:
        try:
            sagemaker.list_experiments()
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(call, range(60)))

    assert (outcomes.count(False), injection.failures) == (20, 20)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"operation": "CreateTrainingJobs"}, "similar: .*'CreateTrainingJob'"),
        ({"service": "sagemaker", "operation": "PutObject"}, "not supported by the embedded"),
        ({"service": "sage"}, "'sagemaker'"),
        ({"times": 0}, "times=0"),
        ({"after": -1}, "after=-1"),
    ],
)
def test_fault_of_an_unknown_operation_is_rejected(engine: EmbeddedSageMaker, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        engine.inject(Fault("Odd", **wrong))
