"""The doctor on an account: credentials, region, role, key, bucket and quotas."""

import inspect
from collections.abc import Mapping

import attrs
import pytest
from botocore.model import OperationModel
from tests.support.diagnoses import Answer, Answering, one

from mnist_tracking import (
    BestModelDeployer,
    JobSpec,
    Workspace,
)
from mnist_tracking._aws.permissions import CALLS
from mnist_tracking._values.prices import default_prices
from mnist_tracking.upkeep.doctor import Check, diagnose, minimal_policy
from mnist_tracking.upkeep.doctor.readiness import CHECKED_TYPES

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
    assert one(workspace, "key") == Check("key", "ok", "Not set; AWS encrypts with its own keys.")


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
    assert [check.name for check in diagnosis.checks if check.outcome == "problem"] == ["credentials"]
    assert next(c for c in diagnosis.checks if c.name == "role") == Check("role", "skipped", "Needs credentials.")
    assert {check.name for check in diagnosis.checks} == {check.name for check in diagnose(workspace).checks}
    assert next(c for c in diagnosis.checks if c.name == "endpoints") == Check(
        "endpoints", "skipped", "Needs credentials."
    )


def test_a_region_that_boto3_does_not_know_is_a_warning() -> None:
    assert one(Workspace.aws(region="us-east-9"), "region").outcome == "warning"


def test_a_role_of_another_account_is_a_problem(answering: Answering) -> None:
    check = one(answering({}, role="arn:aws:iam::123456789012:role/theirs"), "role")

    assert check.outcome == "problem"
    assert "belongs to account 123456789012" in check.detail


def quotas(values: Mapping[str, float]) -> Answer:
    found = [{"QuotaName": name, "Value": value} for name, value in values.items()]
    return lambda _: {"Quotas": found}


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

    assert (CHECKED_TYPES["training job"][0], CHECKED_TYPES["endpoint"][0]) == (training, hosting)
    assert all(default_prices().cost(kind, 1, 1) for kinds in CHECKED_TYPES.values() for kind in kinds)


def test_a_named_bucket_that_is_missing_is_a_problem(answering: Answering) -> None:
    assert one(answering({}, bucket="not-there"), "bucket").outcome == "problem"
    assert one(answering({}, bucket="not-there", create_bucket=True), "bucket").outcome == "ok"


def test_a_bucket_in_another_region_is_a_problem(answering: Answering) -> None:
    workspace = answering({"s3.HeadBucket": lambda _: {"BucketRegion": "eu-west-1"}}, bucket="elsewhere")

    check = one(workspace, "bucket")

    assert check.outcome == "problem"
    assert "is in eu-west-1" in check.detail
