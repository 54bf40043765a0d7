"""What a job says of its estimator and its inputs is sent as it is; what the SDK would not take is refused before."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.sent import Sent, requests

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, Workspace

MakeJob = Callable[..., JobSpec]


@pytest.fixture
def create_request(workspace: Workspace, toy_job: MakeJob, sent: Sent) -> Callable[..., Mapping[str, Any]]:
    """Runs a job, and returns the request that created it."""

    def run(**changes: Any) -> Mapping[str, Any]:
        sent.clear()
        ExperimentRunner(workspace, "lines", job=toy_job(**changes)).run({"slope": 1.0})
        return requests(sent, "CreateTrainingJob")[0]

    return run


def trial_of(request: Mapping[str, Any]) -> str:
    return str(request["ExperimentConfig"]["TrialName"])


def test_any_keyword_of_the_estimator_is_sent(
    workspace: Workspace, create_request: Callable[..., Mapping[str, Any]]
) -> None:
    keywords = {
        "keep_alive_period_in_seconds": 600,
        "volume_size": 100,
        "use_spot_instances": True,
        "max_wait": 7200,
        "checkpoint_s3_uri": f"s3://{workspace.bucket}/checkpoints",
        "container_log_level": 10,
        "max_retry_attempts": 2,
    }
    request = create_request(max_run_s=3600, estimator=keywords)

    assert request["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    assert request["ResourceConfig"]["VolumeSizeInGB"] == 100
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert request["CheckpointConfig"] == {"S3Uri": f"s3://{workspace.bucket}/checkpoints/{trial_of(request)}"}
    assert request["HyperParameters"]["sagemaker_container_log_level"] == "10"
    assert request["RetryStrategy"] == {"MaximumRetryAttempts": 2}


def test_a_git_repository_is_rejected_by_name() -> None:
    """The script is in the repository, so the error must not be that it does not exist."""
    with pytest.raises(ConfigError, match=r"'git_config'.*not allowed\. Clone the repository.*source_dir="):
        JobSpec("in_repository.py", estimator={"git_config": {"repo": "https://git.example/own/job"}})


def test_a_distribution_is_sent(create_request: Callable[..., Mapping[str, Any]]) -> None:
    distribution = {"torch_distributed": {"enabled": True}}

    request = create_request(instance_type="ml.g5.xlarge", estimator={"distribution": distribution})

    assert request["HyperParameters"]["sagemaker_torch_distributed_enabled"] == "true"
    assert "-gpu-" in request["AlgorithmSpecification"]["TrainingImage"]


def test_an_image_of_ones_own_takes_the_place_of_sagemakers(
    create_request: Callable[..., Mapping[str, Any]],
) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/ours:1.0"

    assert create_request(image_uri=image)["AlgorithmSpecification"]["TrainingImage"] == image


def test_the_debugger_and_the_profiler_are_off_unless_asked_for(
    create_request: Callable[..., Mapping[str, Any]],
) -> None:
    off, on = create_request(), create_request(estimator={"debugger_hook_config": True, "disable_profiler": False})

    assert "DebugHookConfig" not in off
    assert off["ProfilerConfig"] == {"DisableProfiler": True}
    assert "DebugHookConfig" in on
    assert on["ProfilerConfig"]["DisableProfiler"] is False


def test_inputs_of_the_sdk_are_sent_as_they_are_beside_plain_locations(
    workspace: Workspace, tmp_path: Path, create_request: Callable[..., Mapping[str, Any]]
) -> None:
    uri = f"s3://{workspace.bucket}/elsewhere/rows"  # this imports the SDK, quietly
    from sagemaker.inputs import TrainingInput

    (tmp_path / "rows.csv").write_text("1,2\n")
    workspace.client("s3").upload_file(str(tmp_path / "rows.csv"), workspace.bucket, "elsewhere/rows/rows.csv")

    request = create_request(inputs={"train": TrainingInput(uri, content_type="text/csv"), "test": uri})

    train, test = request["InputDataConfig"]
    assert (train["ChannelName"], train["ContentType"]) == ("train", "text/csv")
    assert (test["ChannelName"], test["DataSource"]["S3DataSource"]["S3Uri"]) == ("test", uri)


@pytest.mark.parametrize("name", ["estimator", "inputs", "environment"])
@pytest.mark.parametrize("value", [None, "s3://bucket/rows", ["volume_size"]])
def test_what_is_no_mapping_is_refused(toy_job: MakeJob, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name}=.*; expected a mapping of names to values"):
        toy_job(**{name: value})


def test_an_instance_type_that_is_none_is_refused_in_one_message(toy_job: MakeJob) -> None:
    with pytest.raises(
        ConfigError, match=r"^instance_type='large'; expected a SageMaker instance type, such as 'ml\.m5\.xlarge'\.$"
    ):
        toy_job(instance_type="large")


@pytest.mark.parametrize("value", ["http://host/rows.csv", 7, None, b"s3://bucket/rows"])
def test_other_inputs_are_refused(toy_job: MakeJob, value: object) -> None:
    with pytest.raises(ConfigError, match=r"The input 'train' is .*; expected an S3 location"):
        toy_job(inputs={"train": value})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"estimator": {"volume_sise": 100}},
            r"'volume_sise', which is not an argument of the SDK's PyTorch\. .*'volume_size'",
        ),
        ({"estimator": {"qwertz": 1}}, r"'qwertz', which is not an argument of the SDK's PyTorch\.$"),
        ({"estimator": {"instance_type": "ml.g5.xlarge"}}, r"use JobSpec\(instance_type=\.\.\.\)"),
        ({"estimator": {"base_job_name": "churn"}}, r"use ExperimentRunner\(name\)\."),
        ({"estimator": {"max_run": 60}}, r"use JobSpec\(max_run_s=\.\.\.\)"),
        ({"estimator": {"output_kms_key": "k"}}, r"use Workspace\.aws\(kms_key=\.\.\.\)"),
        ({"estimator": {"tags": []}}, r"use ExperimentRunner\(tags=\.\.\.\)"),
        ({"estimator": {"use_spot_instances": True}}, r"'max_wait'.* of at least max_run_s \(86400\)"),
        ({"estimator": {"use_spot_instances": True, "max_wait": 60}}, "at least max_run_s"),
        ({"estimator": {"distribution": "ddp"}}, "The SageMaker SDK rejects the job"),
        ({"estimator": {"instance_groups": ["a"]}}, "The SageMaker SDK rejects the job"),
        ({"instance_type": "ml.trn1.32xlarge"}, "The SageMaker SDK rejects the job"),
    ],
)
def test_what_the_estimator_does_not_take_is_refused_before_anything_is_sent(
    workspace: Workspace, toy_job: MakeJob, sent: Sent, changes: dict[str, Any], said: str
) -> None:
    runner = ExperimentRunner(workspace, "lines", job=toy_job(**changes))
    _ = workspace.bucket, workspace.role
    sent.clear()

    with pytest.raises(ConfigError, match=said):
        runner.run({"slope": 1.0})
    assert sent == []


def test_instance_groups_take_the_place_of_the_instances(
    workspace: Workspace, create_request: Callable[..., Mapping[str, Any]]
) -> None:
    _ = workspace.sagemaker_session  # this imports the SDK, quietly
    from sagemaker.instance_group import InstanceGroup

    groups = [InstanceGroup("gpus", "ml.g5.xlarge", 1), InstanceGroup("cpus", "ml.c5.xlarge", 2)]
    resources = create_request(estimator={"instance_groups": groups})["ResourceConfig"]

    assert not {"InstanceType", "InstanceCount"} & resources.keys()
    assert [(group["InstanceType"], group["InstanceCount"]) for group in resources["InstanceGroups"]] == [
        ("ml.g5.xlarge", 1),
        ("ml.c5.xlarge", 2),
    ]
