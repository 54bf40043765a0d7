"""What AWS answered to the contract tests, recorded by ``scripts/live``: the embedded SageMaker answers the same."""

import json
from pathlib import Path

import pytest
from tests.support.recording import Call, load
from tests.support.replaying import Replay
from tests.support.rigs import embedded

RECORDED = Path(__file__).parents[1] / "recorded"
DIFFERENCES: dict[str, list[str]] = {}
"""What is known to differ, by the name of the test; each must differ, so that a fixed one is noticed."""


def recordings() -> list[tuple[str, list[Call]]]:
    return [
        (f"{path.stem}.{test}", calls)
        for path in sorted(RECORDED.glob("*.json"))
        for test, calls in sorted(load(path).items())
    ]


@pytest.mark.skipif(not recordings(), reason="nobody has run scripts/live on an AWS account yet: nothing is recorded")
@pytest.mark.parametrize(("test", "calls"), recordings() or [("none", [])])
def test_the_embedded_sagemaker_answers_as_aws_did(test: str, calls: list[Call], tmp_path: Path) -> None:
    with embedded(tmp_path / "home") as rig:
        assert list(Replay(rig).differences(calls)) == DIFFERENCES.get(test, [])


def test_known_differences_are_of_recorded_tests() -> None:
    assert set(DIFFERENCES) <= {test for test, _ in recordings()}


CALL: Call = {
    "service": "sagemaker",
    "operation": "DescribeExperiment",
    "request": {"ExperimentName": "digits"},
    "response": {
        "ExperimentName": "digits",
        "ExperimentArn": "arn:aws:sagemaker:us-east-1:000000000000:experiment/digits",
        "DisplayName": "digits",
        "CreationTime": "<time>",
        "LastModifiedTime": "<time>",
        "CreatedBy": {},
    },
}


def missing(code: str, message: str) -> Call:
    return {**CALL, "request": {"ExperimentName": "nowhere"}, "response": {"Error": {"Code": code, "Message": message}}}


@pytest.mark.parametrize(
    ("changed", "differences"),
    [
        ({}, []),
        ({"CreationTime": 1}, ["DescribeExperiment: .CreationTime is a time, recorded was a number"]),
        ({"Description": "Of hands."}, ["DescribeExperiment: .Description is missing"]),
        ({"Source": {"SourceArn": "a"}}, ["DescribeExperiment: .Source is missing"]),
    ],
)
def test_a_difference_of_a_response_is_named(
    changed: dict[str, object], differences: list[str], tmp_path: Path
) -> None:
    call: Call = {**CALL, "response": {**CALL["response"], **changed}}
    with embedded(tmp_path / "home") as rig:
        rig.sagemaker().create_experiment(ExperimentName="digits")

        assert list(Replay(rig).differences([call])) == differences


@pytest.mark.parametrize(
    ("code", "message", "is_same"),
    [
        ("ResourceNotFound", "Experiment 'another' does not exist: could not find arn:aws:x.", True),
        ("ValidationException", "Experiment 'nowhere' does not exist: could not find arn:aws:x.", False),
        ("ResourceNotFound", "Requested resource not found.", False),
    ],
)
def test_the_code_and_the_words_of_an_error_are_compared(
    code: str, message: str, is_same: bool, tmp_path: Path
) -> None:
    with embedded(tmp_path / "home") as rig:
        found = list(Replay(rig).differences([missing(code, message)]))

    assert (found == []) is is_same
    assert is_same or found[0].startswith(f"DescribeExperiment: recorded {code} {message!r}, found ResourceNotFound")


def test_what_an_account_chose_is_taken_from_the_new_answers(tmp_path: Path) -> None:
    """Such as the ARN of an artifact, and a token."""
    create: Call = {
        "service": "sagemaker",
        "operation": "CreateArtifact",
        "request": {"ArtifactType": "text/csv", "Source": {"SourceUri": "s3://a/b"}},
        "response": {"ArtifactArn": "arn:aws:sagemaker:us-east-1:000000000000:artifact/1234"},
    }
    delete: Call = {**create, "operation": "DeleteArtifact", "request": create["response"]}
    with embedded(tmp_path / "home") as rig:
        assert list(Replay(rig).differences(json.loads(json.dumps([create, delete])))) == []
