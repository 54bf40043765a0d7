"""What a workspace is told once is sent with everything that it makes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.sent import Sent, at, record_calls, requests, whole_workflow
from tests.support.toy_job import TOY

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, Workspace
from mnist_tracking._values.settings import Settings

KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:iam::000000000000:role/given"
SUBNETS, GROUPS = ["subnet-0a1b2c3d", "subnet-4e5f6a7b"], ["sg-0a1b2c3d"]
VPC = {"Subnets": SUBNETS, "SecurityGroupIds": GROUPS}
TAGS = {"team": "vision", "cost centre": "42"}
MADE = {  # by the workflow below
    "CreateExperiment",
    "CreateTrial",
    "CreateTrialComponent",
    "CreateArtifact",
    "CreateTrainingJob",
    "CreateModel",
    "CreateEndpointConfig",
    "CreateEndpoint",
    "AddTags",  # of the component of a job, which SageMaker makes
}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """Everything that a workspace with all settings sends."""
    place = tmp_path_factory.mktemp("settings")
    workspace = Workspace.embedded(
        place / "home",
        role=ROLE,
        bucket="company-models",
        prefix="team/a",
        kms_key=KEY,
        subnets=SUBNETS,
        security_group_ids=GROUPS,
        network_isolation=True,
        encrypt_traffic=True,
        tags=TAGS,
    )
    calls = record_calls(workspace)
    job = JobSpec(
        entry_point="train.py",
        source_dir=TOY,
        metrics={"score": r"score=(\S+?);"},
    )
    whole_workflow(workspace, job, place)
    workspace.close()
    return calls


def test_one_of_everything_is_made(sent: Sent) -> None:
    assert {operation for operation, request in sent if "Tags" in request} == MADE


@pytest.mark.parametrize("operation", sorted(MADE))
def test_everything_that_is_made_has_the_tags(sent: Sent, operation: str) -> None:
    for request in requests(sent, operation):
        tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        assert {**tags, **TAGS} == tags
        assert tags["mnist-tracking:created-by"].startswith("mnist-tracking ")


def test_every_upload_is_encrypted_with_the_key_and_below_the_prefix(sent: Sent) -> None:
    """Data, small and in parts, files of steps, tables, code of jobs, and the model that the SDK packs."""
    uploads = requests(sent, "PutObject", "CreateMultipartUpload")

    assert {"PutObject", "CreateMultipartUpload"} <= {operation for operation, _ in sent}
    assert {(upload["Bucket"], upload["Key"][:12]) for upload in uploads} == {("company-models", "team/a/lines")}
    assert {(upload.get("ServerSideEncryption"), upload.get("SSEKMSKeyId")) for upload in uploads} == {("aws:kms", KEY)}
    names = {upload["Key"].rsplit("/")[-1] for upload in uploads}
    assert {"rows.csv", "large.bin", "sourcedir.tar.gz", "model.tar.gz"} < names


JOB = {
    "RoleArn": ROLE,
    "VpcConfig": VPC,
    "EnableNetworkIsolation": True,
    "EnableInterContainerTrafficEncryption": True,
    "OutputDataConfig.KmsKeyId": KEY,
    "ResourceConfig.VolumeKmsKeyId": KEY,
}
MODEL = {"ExecutionRoleArn": ROLE, "VpcConfig": VPC, "EnableNetworkIsolation": True}


@pytest.mark.parametrize(
    ("operation", "settings"),
    [("CreateTrainingJob", JOB), ("CreateModel", MODEL), ("CreateEndpointConfig", {"KmsKeyId": KEY})],
)
def test_the_settings_are_sent(sent: Sent, operation: str, settings: Mapping[str, Any]) -> None:
    (request,) = requests(sent, operation)

    assert settings == {path: at(request, path) for path in settings}


def test_with_a_role_given_iam_is_never_called(sent: Sent) -> None:
    assert {operation for operation, _ in sent if "Role" in operation or "Policy" in operation} == set()


def test_nothing_is_sent_that_was_not_said(
    workspace: Workspace, tmp_path: Path, toy_job: Callable[..., JobSpec]
) -> None:
    calls = record_calls(workspace)
    whole_workflow(workspace, toy_job(), tmp_path)

    (job,), (model,) = requests(calls, "CreateTrainingJob"), requests(calls, "CreateModel")
    assert not {"VpcConfig", "EnableNetworkIsolation"} & {name for name, value in job.items() if value}
    assert not {"VpcConfig", "EnableNetworkIsolation"} & {name for name, value in model.items() if value}
    assert "KmsKeyId" not in requests(calls, "CreateEndpointConfig")[0]
    assert not any("SSEKMSKeyId" in upload for upload in requests(calls, "PutObject", "CreateMultipartUpload"))


@pytest.mark.parametrize("kind", ["ml.g5.xlarge", "ml.g4dn.xlarge", "ml.p5.48xlarge", "ml.p6-b200.48xlarge"])
def test_instances_with_storage_of_their_own_get_no_key_for_volumes(
    tmp_path: Path, toy_job: Callable[..., JobSpec], kind: str
) -> None:
    """AWS refuses one for them, and encrypts that storage by hardware."""
    with Workspace.embedded(tmp_path / "home", kms_key=KEY) as workspace:
        calls = record_calls(workspace)
        whole_workflow(workspace, toy_job(instance_type=kind), tmp_path, instance_type=kind)

    (job,), (config,) = requests(calls, "CreateTrainingJob"), requests(calls, "CreateEndpointConfig")
    assert "VolumeKmsKeyId" not in job["ResourceConfig"]
    assert job["OutputDataConfig"]["KmsKeyId"] == KEY
    assert "KmsKeyId" not in config


def test_a_runners_tags_are_put_on_its_jobs_too(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    calls = record_calls(workspace)
    ExperimentRunner(workspace, "lines", job=toy_job(), tags={"stage": "trial"}).run()

    for operation in ("CreateExperiment", "CreateTrial", "CreateTrainingJob"):
        assert {"Key": "stage", "Value": "trial"} in requests(calls, operation)[0]["Tags"]


def test_an_upload_that_says_how_to_encrypt_it_is_left_alone(tmp_path: Path) -> None:
    with Workspace.embedded(tmp_path / "home", kms_key=KEY) as workspace:
        s3, bucket = workspace.client("s3"), workspace.bucket
        s3.put_object(Bucket=bucket, Key="own", Body=b"", ServerSideEncryption="AES256")

        assert s3.head_object(Bucket=bucket, Key="own")["ServerSideEncryption"] == "AES256"


def test_the_users_own_session_is_left_alone(tmp_path: Path) -> None:
    with Workspace.embedded(tmp_path / "home", kms_key=KEY) as workspace:
        bucket = workspace.bucket
        own = workspace.boto_session.client("s3")
        own.put_object(Bucket=bucket, Key="own", Body=b"")

        assert "SSEKMSKeyId" not in own.head_object(Bucket=bucket, Key="own")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"role": 7}, "role=7; expected a string"),
        ({"network_isolation": "no"}, "network_isolation='no'; expected True or False"),
        ({"bucket": "s3://ours/models"}, "'s3://ours/models' is not a bucket name"),
        ({"subnets": 7, "security_group_ids": GROUPS}, "subnets has 7; expected a list of IDs"),
        ({"tags": ["team"]}, "expected a mapping"),
        ({"role": "my-role"}, r"role='my-role' is not the ARN of a role\. Pass 'arn:aws:iam::"),
        ({"role": "arn:aws:iam::123456789012:user/me"}, "is not the ARN of a role"),
        ({"kms_key": "alias/ours"}, "An alias cannot encrypt a job's volume"),
        ({"kms_key": ""}, "neither the ID nor the ARN of a key"),
        ({"subnets": SUBNETS}, "security_group_ids is missing: a VPC needs both"),
        ({"security_group_ids": GROUPS}, "subnets is missing"),
        ({"subnets": [], "security_group_ids": GROUPS}, "subnets has 0 entries; expected 1 to 16"),
        (
            {"subnets": SUBNETS, "security_group_ids": GROUPS * 6},
            "security_group_ids has 6 entries; expected 1 to 5",
        ),
        ({"subnets": GROUPS, "security_group_ids": GROUPS}, "subnets has 'sg-0a1b2c3d'"),
        ({"subnets": "subnet-1, subnet-2", "security_group_ids": GROUPS}, "expected a list of IDs"),
        ({"tags": {str(number): "" for number in range(47)}}, "47 tags; expected at most 46"),
        ({"tags": {"aws:team": "vision"}}, "'aws:team' is not allowed"),
        ({"tags": {"": "vision"}}, "'' is not allowed"),
        ({"tags": {"team": "a" * 257}}, "expected at most 256"),
        ({"tags": {"a" * 129: "vision"}}, "expected at most 128"),
        ({"tags": {"team": "vision & sound"}}, "The value 'vision & sound' of tag 'team'"),
        ({"tags": {"team": 7}}, "The value 7 of tag 'team'"),
    ],
)
def test_what_aws_would_refuse_is_refused_at_once(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Workspace.aws(region="us-east-1", **settings)


@pytest.mark.parametrize(
    "key",
    [KEY, KEY.rsplit("/")[-1], "mrk-" + 8 * "12ab", KEY.rsplit("/")[0].replace("aws", "aws-cn") + "/mrk-" + 8 * "12ab"],
)
def test_a_key_is_named_by_its_id_or_its_arn(key: str) -> None:
    assert Settings(kms_key=key).kms_key == key


def test_tags_may_be_in_any_script() -> None:
    assert Settings(tags={"Équipe": "視覚 1/2 +x@y"}).tags == {"Équipe": "視覚 1/2 +x@y"}


def test_a_runners_tags_are_checked_before_anything_is_sent(workspace: Workspace) -> None:
    calls = record_calls(workspace)

    with pytest.raises(ConfigError, match="'aws:x' is not allowed"):
        ExperimentRunner(workspace, "lines", tags={"aws:x": ""})
    assert calls == []


def test_the_settings_are_taken_wherever_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MNIST_TRACKING_HOME", str(tmp_path))
    with Workspace.from_env(tags={"team": "cv"}, prefix="theirs") as workspace:
        assert (workspace.tags["team"], workspace.prefix) == ("cv", "theirs")

    monkeypatch.setenv("MNIST_TRACKING_BACKEND", "aws")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with Workspace.from_env(bucket="mine") as workspace:
        assert (workspace.settings.bucket, workspace.region) == ("mine", "eu-west-1")
