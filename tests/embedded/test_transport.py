import socket
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.hooks import HierarchicalEmitter
from botocore.session import Session

from mnist_tracking.embedded import engine as engines
from mnist_tracking.embedded import transport
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.errors import UnsupportedOperationError

HOSTILE = {
    "AWS_PROFILE": "nobody",
    "AWS_DEFAULT_REGION": "mars-1",
    "AWS_REGION": "mars-1",
    "AWS_ACCESS_KEY_ID": "half a pair of credentials",
    "AWS_ENDPOINT_URL": "http://192.0.2.1:9",
    "AWS_ENDPOINT_URL_SAGEMAKER": "not an address",
    "AWS_RETRY_MODE": "never",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_DEFAULTS_MODE": "odd",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_DATA_PATH": "/nowhere",
    "AWS_CA_BUNDLE": "/nowhere",
}


def test_session_takes_nothing_from_the_environment(
    engine: EmbeddedSageMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the user has set for AWS, well or badly, an embedded session is the same."""
    (tmp_path / "config").write_text("[default]\nregion = mars-1\n[broken\n")
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "config"))
    session = engine.session()

    assert session.region_name == "us-east-1"
    assert session.client("sagemaker").list_experiments()["ExperimentSummaries"] == []
    assert session.client("s3").list_buckets()["Buckets"] == []
    assert session.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_botocores_own_handlers_are_registered_as_it_does_itself() -> None:
    def registered(emitter: HierarchicalEmitter) -> dict[str, Any]:
        return {**vars(vars(emitter)["_handlers"]), "unique": vars(emitter)["_unique_id_handlers"]}

    own = HierarchicalEmitter()
    Session(event_hooks=own)

    fresh = engines._botocores_handlers.__wrapped__()  # importing moto adds a handler to those of botocore
    assert registered(fresh) == registered(own)


def test_what_one_session_is_told_to_handle_no_other_does(engine: EmbeddedSageMaker) -> None:
    first, second = engine.session(), engine.session()
    told: list[str] = []
    first.events.register("before-call.sagemaker", lambda event_name, **_: told.append(event_name))
    second.client("sagemaker").list_experiments()
    engine.session().client("sagemaker").list_experiments()
    assert told == []

    first.client("sagemaker").list_experiments()
    assert told == ["before-call.sagemaker.ListExperiments"]


def test_errors_are_botocores_typed_exceptions(engine: EmbeddedSageMaker) -> None:
    """With a request id, a status and the name of the operation, as from AWS."""
    client = engine.session().client("sagemaker")
    with pytest.raises(client.exceptions.ResourceNotFound) as caught:
        client.describe_experiment(ExperimentName="nowhere")

    metadata = caught.value.response["ResponseMetadata"]
    assert (caught.value.operation_name, metadata["HTTPStatusCode"]) == ("DescribeExperiment", 400)
    assert len(metadata["RequestId"]) == 36
    assert isinstance(caught.value, ClientError)


def test_arns_have_the_account_and_region(tmp_path: Path) -> None:
    """The engine defines both."""
    engine = EmbeddedSageMaker(tmp_path, region="eu-west-3", account_id="123456789012")
    arn = engine.session().client("sagemaker").create_experiment(ExperimentName="Digits")["ExperimentArn"]

    assert arn == "arn:aws:sagemaker:eu-west-3:123456789012:experiment/digits"
    engine.close()


def test_observers_see_every_response(engine: EmbeddedSageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is how the tests check each response against the service model."""
    seen: list[tuple[str, Any]] = []
    monkeypatch.setattr(transport, "response_observers", [lambda model, response: seen.append((model.name, response))])
    engine.session().client("sagemaker").list_experiments()

    assert [(name, response["ExperimentSummaries"]) for name, response in seen] == [("ListExperiments", [])]


def test_presigned_urls_are_rejected(engine: EmbeddedSageMaker) -> None:
    """A presigned URL would be answered by AWS, from somebody else's bucket of that name."""
    s3, sts = engine.session().client("s3"), engine.session().client("sts")
    with pytest.raises(UnsupportedOperationError, match="s3:GetObject by a presigned URL"):
        s3.generate_presigned_url("get_object", Params={"Bucket": "digits", "Key": "7"})
    with pytest.raises(UnsupportedOperationError, match="by a presigned URL"):
        s3.generate_presigned_post("digits", "7")
    with pytest.raises(UnsupportedOperationError, match="sts:GetCallerIdentity by a presigned URL"):
        sts.generate_presigned_url("get_caller_identity")


def test_requests_that_pass_by_the_transport_are_stopped() -> None:
    """The last guard: even without the transport's response, nothing is sent."""
    with pytest.raises(UnsupportedOperationError):
        transport._reject_sending("before-send.sagemaker.ListExperiments")


def test_tests_reach_no_other_machine() -> None:
    """The network guard of these tests works."""
    with socket.socket() as connection, pytest.raises(AssertionError, match="tried to reach"):
        connection.connect(("192.0.2.1", 80))
