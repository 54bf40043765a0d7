"""Workspace.aws, against moto: a second opinion on S3, STS and IAM."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from mnist_tracking import ConfigError, Workspace


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
    with pytest.raises(ConfigError, match="Give role='arn:aws:iam::"):
        _ = Workspace.aws(region="us-east-1").role


@pytest.mark.usefixtures("account")
def test_a_given_role_is_taken_as_it_is() -> None:
    assert (
        Workspace.aws(region="us-east-1", role="arn:aws:iam::123456789012:role/r").role
        == "arn:aws:iam::123456789012:role/r"
    )


def test_without_a_region_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)

    with pytest.raises(ConfigError, match="No region is known"):
        Workspace.aws()


def test_an_unknown_backend_names_those_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_TRACKING_BACKEND", "gcp")

    with pytest.raises(ConfigError, match="'embedded' or 'aws'"):
        Workspace.from_env()
