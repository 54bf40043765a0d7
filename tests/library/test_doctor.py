"""The doctor: what it finds on the embedded account, and on accounts that answer as AWS would."""

import copy
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import attrs
import numpy as np
import pandas as pd
import pytest
from botocore.model import OperationModel

from mnist_tracking import (
    BestModelDeployer,
    ExperimentRunner,
    JobSpec,
    JobTimeoutError,
    Workspace,
)
from mnist_tracking._sagemaker.calls import CALLS
from mnist_tracking._sagemaker.prices import usd_per_hour
from mnist_tracking.doctor import Check, Diagnosis, diagnose, minimal_policy
from mnist_tracking.doctor.access import lets_sagemaker_in
from mnist_tracking.doctor.limits import LOOKED_AT
from mnist_tracking.embedded import EmbeddedSageMaker

ROLE = "arn:aws:iam::000000000000:role/mnist-tracking-embedded"
Answer = Callable[[Mapping[str, str]], dict[str, Any]]
Answering = Callable[..., Workspace]


@pytest.fixture
def answering(engine: EmbeddedSageMaker) -> Answering:
    """Makes a workspace on the embedded account, where some operations are answered as a test says."""

    def make(answers: Mapping[str, Answer], **settings: Any) -> Workspace:
        session = engine.session()
        for event, answer in answers.items():
            emitter: Any = session.events  # its stubs do not know of handlers that answer
            emitter.register_first(f"before-call.{event}", _handler(answer))
        return Workspace.aws(boto_session=session, **settings)

    return make


def _handler(answer: Answer) -> Callable[..., tuple[SimpleNamespace, dict[str, Any]]]:
    def handle(params: dict[str, Any], **_: object) -> tuple[SimpleNamespace, dict[str, Any]]:
        body = params["body"]
        response = copy.deepcopy(answer(json.loads(body) if isinstance(body, bytes) and body else body))
        status = 403 if "Error" in response else 200
        return SimpleNamespace(status_code=status, headers={}, raw=None, content=b""), response

    return handle


@pytest.fixture
def engine(tmp_path: Any) -> Iterator[EmbeddedSageMaker]:
    engine = EmbeddedSageMaker(tmp_path / "home")
    yield engine
    engine.close()


def denying(*actions: str) -> Answer:
    """Answers as IAM's simulator does when only some actions are denied."""

    def answer(body: Mapping[str, str]) -> dict[str, Any]:
        asked = [value for key, value in body.items() if key.startswith("ActionNames.member.")]
        decisions = [
            {"EvalActionName": action, "EvalDecision": "implicitDeny" if action in actions else "allowed"}
            for action in asked
        ]
        return {"EvaluationResults": decisions, "IsTruncated": False}

    return answer


def forbidden(_: Mapping[str, str]) -> dict[str, Any]:
    return {"Error": {"Code": "AccessDenied", "Message": "You are not authorized."}}


KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT"}, "ok"),
        ({"KeyState": "PendingDeletion", "KeySpec": "SYMMETRIC_DEFAULT"}, "problem"),
        ({"KeyState": "Enabled", "KeySpec": "RSA_2048"}, "problem"),
    ],
)
def test_the_key_must_be_enabled_and_symmetric(answering: Answering, told: dict[str, str], outcome: str) -> None:
    answer = {"KeyMetadata": {"KeyId": KEY, **told}}

    assert one(answering({"kms.DescribeKey": lambda _: answer}, kms_key=KEY), "key").outcome == outcome


def test_without_a_key_nothing_is_asked(workspace: Workspace) -> None:
    assert one(workspace, "key") == Check("key", "ok", "None is set; AWS encrypts with keys of its own.")


def quotas(values: Mapping[str, float]) -> Answer:
    found = [{"QuotaName": name, "Value": value} for name, value in values.items()]
    return lambda _: {"Quotas": found}


def found(workspace: Workspace, name: str) -> list[Check]:
    return [check for check in diagnose(workspace).checks if check.name == name]


def one(workspace: Workspace, name: str) -> Check:
    (check,) = found(workspace, name)
    return check


def test_an_empty_embedded_account_is_healthy(workspace: Workspace) -> None:
    """What it does not have is skipped, and named."""
    diagnosis = diagnose(workspace)

    assert diagnosis.is_healthy
    outcomes = {check.name: check.outcome for check in diagnosis.checks}
    assert [name for name, outcome in outcomes.items() if outcome == "skipped"] == ["PassRole", "permissions", "quotas"]
    assert set(outcomes.values()) == {"ok", "skipped"}
    assert "iam:SimulatePrincipalPolicy" in one(workspace, "PassRole").detail


def test_the_doctor_only_reads(workspace: Workspace) -> None:
    """Nothing is made, not even the bucket; and all that it calls is in the table of calls."""
    called: list[tuple[str, str]] = []

    def record(model: OperationModel, **_: object) -> None:
        called.append((model.service_model.service_name, model.name))

    workspace.boto_session.events.register("before-parameter-build.*.*", record)
    diagnose(workspace)
    minimal_policy(workspace)

    reads = ("Get", "List", "Describe", "Head", "Simulate")
    assert [operation for _, operation in called if not operation.startswith(reads)] == []
    assert set(called) <= {(call.service, call.operation) for call in CALLS}
    assert workspace.client("s3").list_buckets()["Buckets"] == []


def test_without_credentials_every_check_says_so_and_none_is_missing(workspace: Workspace) -> None:
    diagnosis = diagnose(Workspace.aws(region="us-east-1"))

    assert not diagnosis.is_healthy
    assert [check.name for check in diagnosis.checks if check.outcome == "problem"] == ["credentials", "role"]
    assert {check.name for check in diagnosis.checks} == {check.name for check in diagnose(workspace).checks}
    assert next(c for c in diagnosis.checks if c.name == "endpoints") == Check(
        "endpoints", "skipped", "Needs credentials."
    )


def test_a_region_that_boto3_does_not_know_is_a_warning() -> None:
    assert one(Workspace.aws(region="us-east-9"), "region").outcome == "warning"


def test_a_role_of_another_account_is_a_problem(answering: Answering) -> None:
    check = one(answering({}, role="arn:aws:iam::123456789012:role/theirs"), "role")

    assert check.outcome == "problem"
    assert "is of account 123456789012" in check.detail


ALLOWED: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}


@pytest.mark.parametrize(
    ("statements", "may"),
    [
        ([ALLOWED], True),
        (ALLOWED, True),
        ([{**ALLOWED, "Action": "sts:AssumeRole"}], True),
        ([{**ALLOWED, "Effect": "Deny"}], False),
        ([{**ALLOWED, "Principal": {"Service": "ec2.amazonaws.com"}}], False),
        ([{**ALLOWED, "Action": "sts:TagSession"}], False),
        ([], False),
    ],
)
def test_trust_is_read_from_the_policy(statements: Any, *, may: bool) -> None:
    assert lets_sagemaker_in({"Version": "2012-10-17", "Statement": statements}) is may


def test_a_role_that_does_not_trust_sagemaker_is_a_problem(answering: Answering) -> None:
    trust = quote(json.dumps({"Statement": [{**ALLOWED, "Principal": {"Service": "ec2.amazonaws.com"}}]}))
    role = {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": trust}}

    check = one(answering({"iam.GetRole": lambda _: role}), "trust")

    assert check.outcome == "problem"
    assert "sagemaker.amazonaws.com" in check.remedy


def test_pass_role_is_asked_for_sagemaker(answering: Answering) -> None:
    asked: list[Mapping[str, str]] = []

    def answer(body: Mapping[str, str]) -> dict[str, Any]:
        asked.append(body)
        return denying("iam:PassRole")(body)

    check = one(answering({"iam.SimulatePrincipalPolicy": answer}), "PassRole")

    assert check.outcome == "problem"
    about = next(body for body in asked if "iam:PassRole" in body.values())
    assert {ROLE, "iam:PassedToService", "sagemaker.amazonaws.com"} <= set(about.values())


def calling_as(arn: str) -> Answer:
    return lambda _: {"Account": "000000000000", "UserId": "A", "Arn": arn}


def test_the_policies_of_a_user_are_asked_for(answering: Answering) -> None:
    user = "arn:aws:iam::000000000000:user/team/ann"
    asked: set[str] = set()

    def answer(body: Mapping[str, str]) -> dict[str, Any]:
        asked.add(body["PolicySourceArn"])
        return denying()(body)

    workspace = answering({"sts.GetCallerIdentity": calling_as(user), "iam.SimulatePrincipalPolicy": answer}, role=ROLE)

    assert one(workspace, "PassRole").outcome == "ok"
    assert asked == {user}


def test_the_root_user_is_not_simulated(answering: Answering) -> None:
    root = {"sts.GetCallerIdentity": calling_as("arn:aws:iam::000000000000:root")}

    assert one(answering(root, role=ROLE), "permissions").outcome == "skipped"


def test_permissions_that_are_denied_are_named(answering: Answering) -> None:
    workspace = answering({"iam.SimulatePrincipalPolicy": denying("sagemaker:Search", "s3:PutObject")})

    assert one(workspace, "permissions") == Check(
        "permissions",
        "warning",
        "IAM's simulator denies s3:PutObject, sagemaker:Search.",
        "mnist-tracking doctor --print-policy prints what is needed.",
    )
    assert one(workspace, "PassRole").outcome == "ok"


def test_what_may_not_be_asked_is_skipped(answering: Answering) -> None:
    workspace = answering({"iam.GetRole": forbidden, "sagemaker.ListEndpoints": forbidden}, role=ROLE)
    outcomes = {check.name: check for check in diagnose(workspace).checks}

    assert outcomes["trust"] == Check("trust", "skipped", "Not allowed to ask (GetRole).")
    assert outcomes["endpoints"] == Check("endpoints", "skipped", "Not allowed to ask (ListEndpoints).")
    assert outcomes["running jobs"].outcome == "ok"


def test_quotas_are_told_and_a_missing_one_is_a_warning(answering: Answering) -> None:
    named = {"ml.m5.xlarge for training job usage": 4.0, "ml.g5.xlarge for endpoint usage": 1.0}
    training, endpoint = [
        check
        for check in diagnose(answering({"service-quotas.ListServiceQuotas": quotas(named)})).checks
        if check.name.endswith("quota")
    ]

    assert (training.outcome, endpoint.outcome) == ("ok", "warning")
    assert "ml.m5.xlarge 4," in training.detail
    assert "ml.m5.large 0," in endpoint.detail


def test_defaults_are_among_what_is_looked_at_and_priced() -> None:
    training = attrs.fields(JobSpec).instance_type.default
    hosting = inspect.signature(BestModelDeployer).parameters["instance_type"].default

    assert (LOOKED_AT["training job"][0], LOOKED_AT["endpoint"][0]) == (training, hosting)
    assert all(usd_per_hour(kind, 1) for kinds in LOOKED_AT.values() for kind in kinds)


def test_a_named_bucket_that_is_missing_is_a_problem(answering: Answering) -> None:
    assert one(answering({}, bucket="not-there"), "bucket").outcome == "problem"
    assert one(answering({}, bucket="not-there", create_bucket=True), "bucket").outcome == "ok"


def test_a_bucket_in_another_region_is_a_problem(answering: Answering) -> None:
    workspace = answering({"s3.HeadBucket": lambda _: {"BucketRegion": "eu-west-1"}}, bucket="elsewhere")

    check = one(workspace, "bucket")

    assert check.outcome == "problem"
    assert "is in eu-west-1" in check.detail


def test_what_runs_is_listed_with_its_cost(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    """Ours with how to end it, others' without; a type that is not in the table has no price."""
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    dear = ExperimentRunner(workspace, "dear", job=toy_job(instance_type="ml.c7i.large"))
    with BestModelDeployer(workspace).deploy(runner.run()) as endpoint:
        endpoint.predict(np.array([1.0]))
        for one_runner in (runner, dear):
            with pytest.raises(JobTimeoutError):
                one_runner.run({"behaviour": "hang"}, timeout_s=0.0)
        checks = {name: found(workspace, name) for name in ("running jobs", "training job", "endpoints", "endpoint")}
        disown(workspace, endpoint.name)
        (others,) = found(workspace, "endpoint")
        for one_runner in (runner, dear):
            one_runner.cleanup()

    assert checks["running jobs"][0].detail.startswith("2, about 0.23 USD an hour, and 1 of unknown price")
    assert {check.outcome for check in checks["training job"]} == {"warning"}
    assert sorted("price unknown" in check.detail for check in checks["training job"]) == [False, True]
    assert checks["endpoints"][0].detail.startswith("1, about 0.12 USD an hour (estimated")
    assert checks["endpoint"][0].remedy.endswith(f"workspace.endpoint({endpoint.name!r}).delete()")
    assert (others.outcome, others.remedy) == ("ok", "")
    assert others.detail.endswith("made by others.")


def test_serverless_endpoints_and_those_that_vanish_meanwhile(answering: Answering) -> None:
    made = {"CreationTime": datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "EndpointStatus": "InService"}
    arn = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/"
    listed = [{**made, "EndpointName": name, "EndpointArn": arn + name} for name in ("here", "gone")]

    def describe(body: Mapping[str, str]) -> dict[str, Any]:
        if body["EndpointName"] == "gone":
            return {"Error": {"Code": "ValidationException", "Message": 'Could not find endpoint "gone".'}}
        return {"EndpointConfigName": "config", "ProductionVariants": [{"VariantName": "a"}]}

    variants = [{"VariantName": "a", "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}]
    workspace = answering(
        {
            "sagemaker.ListEndpoints": lambda _: {"Endpoints": listed},
            "sagemaker.DescribeEndpoint": describe,
            "sagemaker.DescribeEndpointConfig": lambda _: {"ProductionVariants": variants},
            "sagemaker.ListTags": lambda _: {"Tags": []},
        }
    )

    assert one(workspace, "endpoint").detail == (
        "here: serverless, 0.00 USD an hour, since 2026-01-02 03:04, made by others."
    )


def test_a_warm_pool_costs_and_can_be_ended(answering: Answering) -> None:
    job = {
        "TrainingJobName": "warm",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/warm",
        "CreationTime": datetime(2026, 1, 2, tzinfo=UTC),
        "TrainingJobStatus": "Completed",
    }
    groups = [{"InstanceType": "ml.m5.large", "InstanceCount": 2}, {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}]
    tags = [{"Key": "mnist-tracking:created-by", "Value": "mnist-tracking"}]
    workspace = answering(
        {
            "sagemaker.ListTrainingJobs": lambda body: {
                "TrainingJobSummaries": [job] if "WarmPoolStatusEquals" in body else []
            },
            "sagemaker.DescribeTrainingJob": lambda _: {"ResourceConfig": {"InstanceGroups": groups}},
            "sagemaker.ListTags": lambda _: {"Tags": tags},
        }
    )
    check = one(workspace, "warm pool")

    assert check.detail.startswith("warm: 2 ml.m5.large + 1 ml.m5.xlarge, 0.46 USD an hour")
    assert "'KeepAlivePeriodInSeconds': 0" in check.remedy


def disown(workspace: Workspace, endpoint: str) -> None:
    client = workspace.client("sagemaker")
    arn = client.describe_endpoint(EndpointName=endpoint)["EndpointArn"]
    client.delete_tags(ResourceArn=arn, TagKeys=["mnist-tracking:created-by"])


DIAGNOSIS = Diagnosis(
    (
        Check("role", "ok", "arn:aws:iam::000000000000:role/with-a-name-that-is-longer-than-a-line-of-eighty-columns"),
        Check("permissions", "warning", "IAM denies " + ", ".join(f"s3:Action{n}" for n in range(20)), "Allow <them>."),
    )
)


def test_a_diagnosis_reads_well_in_80_columns() -> None:
    """A word that is longer than a line is left whole, so that it can be copied."""
    lines = str(DIAGNOSIS).splitlines()

    assert lines[0].startswith("ok       role         arn:aws:iam")
    assert max(map(len, lines[1:])) <= 80
    assert lines[-1].split() == ["Allow", "<them>."]
    assert repr(DIAGNOSIS) == "<Diagnosis: 1 ok, 1 warning>"


def test_a_diagnosis_is_a_frame_and_a_table_in_a_notebook() -> None:
    frame = DIAGNOSIS.dataframe()

    assert list(frame.columns) == ["name", "outcome", "detail", "remedy"]
    assert isinstance(frame, pd.DataFrame)
    assert "Allow &lt;them&gt;." in DIAGNOSIS._repr_html_()
    assert Diagnosis(()).dataframe().empty
