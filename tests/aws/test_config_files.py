"""An administrator's or a user's config file of the SDK holds where the workspace says nothing, and only there."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from tests.support.sent import Sent, at, record_calls, requests, whole_workflow
from tests.support.toy_job import TOY

from mnist_tracking import ConfigError, JobSpec, Workspace

KEYS = [f"arn:aws:kms:us-east-1:000000000000:key/{digit * 8}-12ab-34cd-56ef-1234567890ab" for digit in "1234"]
CONFIGURED = {"Subnets": ["subnet-aaaa"], "SecurityGroupIds": ["sg-aaaa"]}
ADMIN: dict[str, Any] = {
    "SchemaVersion": "1.0",
    "SageMaker": {
        "PythonSDK": {
            "Modules": {"Session": {"DefaultS3Bucket": "company", "DefaultS3ObjectKeyPrefix": "departments/vision"}}
        },
        "TrainingJob": {
            "RoleArn": "arn:aws:iam::000000000000:role/trains",
            "VpcConfig": CONFIGURED,
            "OutputDataConfig": {"KmsKeyId": KEYS[0]},
            "ResourceConfig": {"VolumeKmsKeyId": KEYS[1]},
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": True,
            "Environment": {"HTTPS_PROXY": "http://proxy:3128"},
            "ProfilerConfig": {"DisableProfiler": False},
            "Tags": [{"Key": "cost", "Value": "42"}, {"Key": "team", "Value": "configured"}],
        },
        "Model": {
            "ExecutionRoleArn": "arn:aws:iam::000000000000:role/serves",
            "VpcConfig": CONFIGURED,
            "Tags": [{"Key": "cost", "Value": "42"}],
        },
        "EndpointConfig": {"KmsKeyId": KEYS[2], "Tags": [{"Key": "cost", "Value": "42"}]},
        "Endpoint": {"Tags": [{"Key": "cost", "Value": "42"}]},
    },
}
USER: dict[str, Any] = {"SchemaVersion": "1.0", "SageMaker": {"TrainingJob": {"Environment": {"STAGE": "dev"}}}}


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Workspace]]:
    """Makes a workspace under both config files."""
    made: list[Workspace] = []
    for name, content in (("ADMIN", ADMIN), ("USER", USER)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
        monkeypatch.setenv(f"SAGEMAKER_{name}_CONFIG_OVERRIDE", str(tmp_path / f"{name}.yaml"))

    def make(**settings: Any) -> Workspace:
        made.append(Workspace.embedded(tmp_path / "home", **settings))
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


def sent_by(workspace: Workspace, job: JobSpec, place: Path) -> Sent:
    calls = record_calls(workspace)
    whole_workflow(workspace, job, place)
    return calls


def tags_of(request: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in request["Tags"]}


def test_the_files_hold_where_the_workspace_says_nothing(
    configured: Callable[..., Workspace], toy_job: Callable[..., JobSpec], tmp_path: Path
) -> None:
    calls = sent_by(configured(), toy_job(), tmp_path)
    (job,), (model,) = requests(calls, "CreateTrainingJob"), requests(calls, "CreateModel")
    (config,), (endpoint,) = requests(calls, "CreateEndpointConfig"), requests(calls, "CreateEndpoint")

    says = ADMIN["SageMaker"]["TrainingJob"]
    assert {name: job[name] for name in says if name not in ("Tags", "Environment")} == {
        **{name: value for name, value in says.items() if name not in ("Tags", "Environment")},
        "OutputDataConfig": {"KmsKeyId": KEYS[0], "S3OutputPath": job["OutputDataConfig"]["S3OutputPath"]},
        "ResourceConfig": {**job["ResourceConfig"], "VolumeKmsKeyId": KEYS[1]},
        "ProfilerConfig": {**job["ProfilerConfig"], "DisableProfiler": False},
    }
    assert job["Environment"] == {"HTTPS_PROXY": "http://proxy:3128", "STAGE": "dev"}
    assert (model["ExecutionRoleArn"], model["VpcConfig"]) == ("arn:aws:iam::000000000000:role/serves", CONFIGURED)
    assert config["KmsKeyId"] == KEYS[2]
    assert {tags_of(request)["cost"] for request in (job, model, config, endpoint)} == {"42"}
    uploads = requests(calls, "PutObject", "CreateMultipartUpload")
    assert {upload["Bucket"] for upload in uploads} == {"company"}
    assert {upload["Key"].partition("/lines")[0] for upload in uploads} == {"departments/vision/mnist-tracking"}


def test_what_the_workspace_says_goes_before_the_files(
    configured: Callable[..., Workspace], toy_job: Callable[..., JobSpec], tmp_path: Path
) -> None:
    role = "arn:aws:iam::000000000000:role/given"
    network = {"subnets": ["subnet-bbbb"], "security_group_ids": ["sg-bbbb"]}
    given = {"role": role, "bucket": "ours", "prefix": "own", "kms_key": KEYS[3], "tags": {"team": "given"}}
    job_says = {"environment": {"STAGE": "prod"}, "estimator": {"disable_profiler": True}}
    calls = sent_by(configured(**given, **network, network_isolation=False), toy_job(**job_says), tmp_path)
    (job,), (model,) = requests(calls, "CreateTrainingJob"), requests(calls, "CreateModel")

    vpc = {"Subnets": ["subnet-bbbb"], "SecurityGroupIds": ["sg-bbbb"]}
    assert (job["RoleArn"], job["VpcConfig"]) == (role, vpc)
    assert (model["ExecutionRoleArn"], model["VpcConfig"]) == (role, vpc)
    assert [at(job, path) for path in ("OutputDataConfig.KmsKeyId", "ResourceConfig.VolumeKmsKeyId")] == 2 * [KEYS[3]]
    assert not job.get("EnableNetworkIsolation")
    assert job["Environment"] == {"STAGE": "prod"}
    assert job["ProfilerConfig"] == {"DisableProfiler": True}
    assert tags_of(job)["team"] == "given"
    assert requests(calls, "CreateEndpointConfig")[0]["KmsKeyId"] == KEYS[3]
    assert {upload["Bucket"] for upload in requests(calls, "PutObject")} == {"ours"}


def test_a_bucket_that_the_files_name_is_made_only_when_asked(configured: Callable[..., Workspace]) -> None:
    session = configured().boto_session

    with pytest.raises(ConfigError, match="'company' does not exist"):
        _ = Workspace.aws(boto_session=session).bucket
    assert Workspace.aws(boto_session=session, create_bucket=True).bucket == "company"


def test_the_files_are_read_in_silence(configured: Callable[..., Workspace], tmp_path: Path) -> None:
    """The SDK tells on standard output, from its first import on, which files it has read and what it took."""
    code = """if True:
        import sys
        from mnist_tracking import ExperimentRunner, JobSpec, Workspace
        with Workspace.embedded(sys.argv[1]) as workspace:
            job = JobSpec(entry_point="train.py", source_dir=sys.argv[2])
            ExperimentRunner(workspace, "lines", job=job).run()
    """
    toy = str(TOY)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "home"), toy],
        env=dict(os.environ),
        capture_output=True,
        check=False,
        text=True,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: Unable to load the config file"),
        ("SageMaker: [", "cannot be read: while parsing"),
        ("SchemaVersion: '1.0'\nSageMaker: {TrainingJob: {RoleArn: my-role}}", r"SageMaker\.TrainingJob\.RoleArn"),
        ("SageMaker: {}", "'SchemaVersion' is a required property"),
    ],
)
def test_a_file_that_is_wrong_is_a_clear_error(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, said: str
) -> None:
    monkeypatch.setenv("SAGEMAKER_USER_CONFIG_OVERRIDE", str(tmp_path / "config.yaml"))
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)

    with pytest.raises(ConfigError, match=said):
        _ = workspace.bucket


def test_a_file_may_lie_in_s3(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.client("s3").create_bucket(Bucket="admin")
    workspace.client("s3").put_object(Bucket="admin", Key="config.yaml", Body=yaml.safe_dump(ADMIN).encode())
    monkeypatch.setenv("SAGEMAKER_ADMIN_CONFIG_OVERRIDE", "s3://admin/config.yaml")

    assert workspace.bucket_name == "company"
    assert workspace.role == "arn:aws:iam::000000000000:role/trains"
