"""Workspace.aws, against moto: a second opinion on S3, STS and IAM."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from mnist_tracking import ConfigError, Workspace

ROLE = "arn:aws:iam::123456789012:role/service-role/jobs"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.mark.usefixtures("account")
def test_the_default_bucket_is_made_in_the_right_region() -> None:
    workspace = Workspace.aws(region="eu-west-1")

    assert workspace.bucket == "sagemaker-eu-west-1-123456789012"
    assert Workspace.aws(region="eu-west-1").bucket == "sagemaker-eu-west-1-123456789012"
    where = workspace.client("s3").get_bucket_location(Bucket=workspace.bucket)
    assert where["LocationConstraint"] == "eu-west-1"


@pytest.mark.usefixtures("account")
def test_a_named_bucket_is_made_only_when_asked() -> None:
    with pytest.raises(ConfigError, match="'my-bucket' does not exist"):
        _ = Workspace.aws(region="us-east-1", bucket="my-bucket").bucket

    assert Workspace.aws(region="us-east-1", bucket="my-bucket", create_bucket=True).bucket == "my-bucket"


@pytest.mark.usefixtures("account")
def test_a_bucket_in_another_region_is_refused() -> None:
    s3 = boto3.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    with pytest.raises(ConfigError, match="is in eu-west-1, the workspace in us-east-1"):
        _ = Workspace.aws(region="us-east-1", bucket="elsewhere").bucket


@pytest.mark.usefixtures("account")
def test_without_a_role_the_error_says_what_to_give() -> None:
    with pytest.raises(ConfigError, match="Pass role='arn:aws:iam::"):
        _ = Workspace.aws(region="us-east-1").role


@pytest.mark.usefixtures("account")
def test_the_role_that_a_program_runs_under_is_found() -> None:
    """As in a notebook or a job: credentials of an assumed role, whose full ARN IAM knows."""
    iam, sts = boto3.client("iam", region_name="us-east-1"), boto3.client("sts", region_name="us-east-1")
    role = iam.create_role(RoleName="trainer", Path="/service-role/", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    keys = sts.assume_role(RoleArn=role, RoleSessionName="SageMaker")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")

    assert Workspace.aws(boto_session=session).role == role


def test_making_a_workspace_makes_no_call() -> None:
    calls: list[str] = []
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    session.events.register("before-call", lambda event_name, **_: calls.append(event_name))

    with Workspace.aws(boto_session=session, bucket="mine", role=ROLE, prefix="/a/") as workspace:
        shown = (workspace.region, workspace.prefix, workspace.role, repr(workspace))
        _ = workspace.sagemaker_session

    assert shown == ("eu-west-1", "a", ROLE, "<Workspace on AWS eu-west-1>")
    assert calls == []


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("refusals", "said"),
    [
        ([("head_bucket", "403", 403)], "'theirs' belongs to another account"),
        ([("head_bucket", "404", 404), ("create_bucket", "BucketAlreadyExists", 409)], "'theirs' is taken by another"),
    ],
)
def test_somebody_elses_bucket_is_refused_by_name(refusals: list[tuple[str, str, int]], said: str) -> None:
    """moto does not look at ExpectedBucketOwner; these are S3's codes, in its API reference of the two operations."""
    workspace = Workspace.aws(region="us-east-1", bucket="theirs", create_bucket=True)
    with Stubber(workspace.client("s3")) as s3:
        for operation, code, status in refusals:
            s3.add_client_error(operation, code, http_status_code=status)

        with pytest.raises(ConfigError, match=said):
            _ = workspace.bucket


@pytest.mark.usefixtures("account")
def test_a_bucket_is_made_once_by_several_threads() -> None:
    workspace = Workspace.aws(region="eu-west-1")

    with ThreadPoolExecutor(4) as pool:
        names = {future.result() for future in [pool.submit(lambda: workspace.bucket) for _ in range(4)]}

    assert names == {"sagemaker-eu-west-1-123456789012"}


def test_an_unknown_profile_names_those_that_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    with pytest.raises(ConfigError, match=r"No AWS profile named 'wrok'\. Available: work"):
        Workspace.aws(profile="wrok")
    assert Workspace.aws(profile="work").region == "eu-west-1"


@pytest.mark.usefixtures("account")
def test_a_given_role_is_taken_as_it_is() -> None:
    assert Workspace.aws(region="us-east-1", role=ROLE).role == ROLE


def test_without_a_region_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)

    with pytest.raises(ConfigError, match=r"No AWS region.* set AWS_DEFAULT_REGION"):
        Workspace.aws()

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")  # boto3 reads no AWS_REGION
    assert Workspace.aws().region == "eu-west-1"


def test_an_unknown_backend_names_those_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_TRACKING_BACKEND", "gcp")

    with pytest.raises(ConfigError, match="'embedded' or 'aws'"):
        Workspace.from_env()
