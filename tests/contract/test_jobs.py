"""Training jobs and models: what is rejected when they are created, and what one job leaves."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.archives import archive
from tests.support.rigs import Rig

pytestmark = pytest.mark.needs("jobs")

SCRIPT = """
import os
for number in (0.5, 0.25):
    print(f"loss={number};")
with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w") as file:
    file.write("fitted")
"""
FAILS = "raise ValueError('too many fingers')\n"
HYPERPARAMETERS = {"epochs": "2", "rate": "1e-05", "optimizer": '"sgd"', "under": "1_000", "space": " 3 ", "nan": "NaN"}
NUMBERS = {"epochs": 2.0, "rate": 1e-05}
ENDED = ("Completed", "Failed", "Stopped")
INSTANCE_TYPE, MAX_RUNTIME_S = "ml.m5.large", 300


def request(rig: Rig, **more: Any) -> dict[str, Any]:
    """Return a request for the job `job`, which has no script unless *more* names one."""
    return {
        "TrainingJobName": "job",
        "RoleArn": rig.role,
        "AlgorithmSpecification": {"TrainingImage": rig.image("training"), "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{rig.bucket}/{rig.prefix}jobs"},
        "ResourceConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": MAX_RUNTIME_S},
        **more,
    }


def rejection(rig: Rig, **more: Any) -> str:
    """Return the message with which a job is rejected."""
    with pytest.raises(ClientError) as rejected:
        rig.sagemaker().create_training_job(**request(rig, **more))
    with pytest.raises(ClientError, match="Requested resource not found"):
        rig.sagemaker().describe_training_job(TrainingJobName="job")
    assert rejected.value.response["Error"]["Code"] == "ValidationException"
    return rejected.value.response["Error"]["Message"]


def run(rig: Rig, script: str) -> dict[str, Any]:
    """Run a job of a trial to its end and describe it."""
    client: Any = rig.sagemaker()
    client.create_experiment(ExperimentName="digits")
    client.create_trial(TrialName="one", ExperimentName="digits")
    code = rig.put("code.tar.gz", archive({"train.py": script}))
    names = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(code)}
    metrics = [{"Name": "loss", "Regex": "loss=(.*?);"}]
    algorithm = {"TrainingImage": rig.image("training"), "TrainingInputMode": "File", "MetricDefinitions": metrics}
    config = {"TrialName": "one", "TrialComponentDisplayName": "Training"}
    given = {"AlgorithmSpecification": algorithm, "ExperimentConfig": config}
    client.create_training_job(**request(rig, HyperParameters={**HYPERPARAMETERS, **names}, **given))

    def look() -> dict[str, Any] | None:
        described: dict[str, Any] = client.describe_training_job(TrainingJobName="job")
        return described if described["TrainingJobStatus"] in ENDED else None

    return rig.until(look)


def test_an_unknown_job_is_a_validation_error(rig: Rig) -> None:
    """Not ResourceNotFound, which botocore's model declares (aws-sdk, issue 165; boto3, issue 2808)."""
    for call in (rig.sagemaker().describe_training_job, rig.sagemaker().stop_training_job):
        with pytest.raises(ClientError, match=r"Requested resource not found\.") as missing:
            call(TrainingJobName="nowhere")
        assert missing.value.response["Error"]["Code"] == "ValidationException"


def test_a_job_needs_data_under_its_uri(rig: Rig) -> None:
    """The service's own message (amazon-sagemaker-examples, issue 2489)."""
    uri = f"s3://{rig.bucket}/{rig.prefix}nothing"
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    channels = [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]

    assert rejection(rig, InputDataConfig=channels).startswith(f'No S3 objects found under S3 URL "s3://{rig.bucket}/')


@pytest.mark.parametrize("wait", [{}, {"MaxWaitTimeInSeconds": MAX_RUNTIME_S - 1}])
def test_spot_training_needs_a_time_to_wait(rig: Rig, wait: dict[str, int]) -> None:
    """At least the longest time to run (botocore, StoppingCondition)."""
    condition = {"MaxRuntimeInSeconds": MAX_RUNTIME_S, **wait}

    assert "MaxWaitTimeInSeconds" in rejection(rig, EnableManagedSpotTraining=True, StoppingCondition=condition)


def test_a_job_needs_a_role_that_exists(rig: Rig) -> None:
    """The service's own message (predictive-maintenance-using-machine-learning, issue 3)."""
    role = f"{rig.role}-that-does-not-exist"

    assert rejection(rig, RoleArn=role).startswith(f"Could not assume role {role}.")


def test_a_finished_job_has_its_metrics_and_its_component(rig: Rig) -> None:
    """The names, types and statistics that the library relies on."""
    job = run(rig, SCRIPT)
    (final,) = job["FinalMetricDataList"]
    stages = [stage["Status"] for stage in job["SecondaryStatusTransitions"]]

    assert job["TrainingJobStatus"] == "Completed"
    assert (final["MetricName"], final["Value"]) == ("loss", 0.25)
    assert (stages[0], stages[-2:]) == ("Starting", ["Uploading", "Completed"])
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("job/output/model.tar.gz")

    component: Any = rig.until(lambda: with_metrics(rig))
    typed = {name: component["Parameters"][name] for name in HYPERPARAMETERS}
    assert typed == {
        name: {"NumberValue": NUMBERS[name]} if name in NUMBERS else {"StringValue": text}
        for name, text in HYPERPARAMETERS.items()
    }
    assert (component["DisplayName"], component["Status"]["PrimaryStatus"]) == ("Training", "Completed")
    assert component["Source"]["SourceArn"] == job["TrainingJobArn"]
    assert component["OutputArtifacts"]["SageMaker.ModelArtifact"]["Value"].endswith("job/output/model.tar.gz")
    (metric,) = component["Metrics"]
    assert {name: metric[name] for name in ("Min", "Max", "Last", "Count")} == {
        "Min": 0.25,
        "Max": 0.5,
        "Last": 0.25,
        "Count": 2,
    }


def with_metrics(rig: Rig) -> Any:
    """Return the component of the job, when it has its metrics: on AWS, some seconds after the job's end."""
    component = rig.sagemaker().describe_trial_component(TrialComponentName="job-aws-training-job")
    return component if component["Metrics"] else None


def test_a_failed_job_has_the_reason(rig: Rig) -> None:
    """The toolkit's text, after the service's own prefix."""
    job = run(rig, FAILS)

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError:")
    assert "too many fingers" in job["FailureReason"]


def test_a_model_needs_its_data(rig: Rig) -> None:
    uri = f"s3://{rig.bucket}/{rig.prefix}nothing/model.tar.gz"
    container = {"Image": rig.image("inference"), "ModelDataUrl": uri}
    with pytest.raises(ClientError, match=rf"Could not (find|access) model data at s3://{rig.bucket}/") as rejected:
        rig.sagemaker().create_model(ModelName="model", ExecutionRoleArn=rig.role, PrimaryContainer=container)  # type: ignore[arg-type]

    assert rejected.value.response["Error"]["Code"] == "ValidationException"
