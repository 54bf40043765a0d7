"""What a training script sends where there is a SageMaker to send it to."""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from mnist_tracking._aws.convert import decode_parameters
from mnist_tracking._values.runtime import RUNTIME
from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.job import _send, log_metric, log_metrics, log_parameter, log_parameters

COMPONENT = "job-1-aws-training-job"


class Service:
    """The component of one job, on a SageMaker that this process reaches through boto3, as a container does."""

    def __init__(self, engine: EmbeddedSageMaker) -> None:
        self.session = engine.session()
        self.client = self.session.client("sagemaker")
        self.client.create_trial_component(TrialComponentName=COMPONENT)
        self.refusals: list[str] = []
        self.session.events.register_first("before-call.sagemaker.UpdateTrialComponent", self._refuse)

    def _refuse(self, **_: object) -> Any:
        if not self.refusals:
            return None
        error = {"Code": self.refusals.pop(0), "Message": "not now"}
        return SimpleNamespace(status_code=400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}

    def parameters(self) -> dict[str, object]:
        """Read the parameters of the component, without what the process runs in."""
        told = self.client.describe_trial_component(TrialComponentName=COMPONENT)
        return {name: value for name, value in decode_parameters(told["Parameters"]).items() if name != RUNTIME}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_job: None) -> Iterator[Service]:
    engine = EmbeddedSageMaker(tmp_path / "home")
    service = Service(engine)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", service.session)
    yield service
    engine.close()


def test_a_job_records_at_once(service: Service) -> None:
    log_parameters({"optimizer": "sgd", "shuffle": True, "patience": None})
    log_parameter("lr", 0.5)

    assert service.parameters() == {"optimizer": "sgd", "shuffle": True, "patience": None, "lr": 0.5}


def test_a_metric_that_ceases_to_be_finite_is_marked_until_it_is_finite_again(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    log_metrics({"loss": 0.5, "accuracy": math.inf})
    log_metric("loss", math.nan)

    assert service.parameters() == {
        "mnist-tracking:non-finite.accuracy": "inf",
        "mnist-tracking:non-finite.loss": "nan",
    }
    log_metrics({"loss": 0.25, "accuracy": -math.inf})
    assert service.parameters() == {"mnist-tracking:non-finite.accuracy": "-inf"}
    assert capsys.readouterr().out.count("metric") == 5


def test_only_a_change_is_sent(service: Service) -> None:
    """A metric is logged thousands of times."""
    sent: list[str] = []
    events = service.session.events
    events.register_first("before-call.sagemaker.UpdateTrialComponent", lambda **_: sent.append("update"))
    for loss in (0.5, 0.4, math.nan, math.nan, math.nan, 0.3, 0.2):
        log_metric("loss", loss)

    assert len(sent) == 2


def test_a_conflict_is_tried_again(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.refusals = ["ConflictException", "ConflictException"]
    request = {"TrialComponentName": COMPONENT, "Parameters": {"lr": {"NumberValue": 0.5}}}
    _send(request, "us-east-1", pauses_s=(0.0, 0.0))

    assert service.parameters() == {"lr": 0.5}
    assert capsys.readouterr().err == ""


def test_a_refusal_is_said_once_and_training_goes_on(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.refusals = ["AccessDeniedException", "AccessDeniedException"]
    for value in (1, 2, 3):
        log_parameter("lr", value)

    assert service.parameters() == {"lr": 3}
    said = capsys.readouterr()
    assert said.err.count("AccessDeniedException") == said.err.count("\n") == 1
    assert said.out.splitlines() == [f'parameter "lr"={value};' for value in (1, 2, 3)]


def test_what_sagemaker_would_refuse_costs_nothing_else(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    log_parameters({"best": math.nan, "notes": "x" * 2501, "lr": 0.5})

    assert service.parameters() == {"lr": 0.5}
    assert capsys.readouterr().err.count("SageMaker does not record it") == 2


def test_a_job_without_credentials_says_so_and_goes_on(
    in_job: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session())
    log_parameter("lr", 0.5)
    log_parameter("lr", 0.25)

    said = capsys.readouterr()
    assert said.err == "mnist_tracking.job: values are printed, but not recorded: Unable to locate credentials\n"
    assert said.out == 'parameter "lr"=0.5;\nparameter "lr"=0.25;\n'


def test_a_job_without_boto3_says_so_and_goes_on(
    in_job: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    log_parameter("lr", 0.5)

    said = capsys.readouterr()
    assert "printed, but not recorded" in said.err
    assert said.out == 'parameter "lr"=0.5;\n'


def test_a_request_is_left_whole_and_in_order(in_job: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_TRACKING_UPDATES", str(tmp_path))
    for value in range(20):
        log_parameter("lr", value)

    left = [json.loads(path.read_text()) for path in sorted(tmp_path.iterdir())]
    assert [body["Parameters"]["lr"]["NumberValue"] for body in left] == list(range(20))
    assert {body["TrialComponentName"] for body in left} == {COMPONENT}


def test_a_folder_that_is_gone_is_said_once(
    in_job: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MNIST_TRACKING_UPDATES", str(tmp_path / "gone"))
    log_parameter("lr", 0.5)

    assert "not recorded" in capsys.readouterr().err
