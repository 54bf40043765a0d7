"""The trial component that SageMaker creates for every training job."""

import sys
from typing import Any

import pytest
from tests.support.training_account import CODE, TrainingAccount

from mnist_tracking.embedded.jobs.interpreter import interpreter

NAME = "job-aws-training-job"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:training-job/job"
CHANNEL = {
    "ChannelName": "training",
    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data"}},
}
SAVES = "import os; open(os.environ['SM_MODEL_DIR'] + '/model', 'w')"


def make_trial(account: TrainingAccount, trial: str = "trial", experiment: str = "digits") -> None:
    account.sagemaker.create_experiment(ExperimentName=experiment)
    account.sagemaker.create_trial(TrialName=trial, ExperimentName=experiment)


def trials_of(account: TrainingAccount) -> list[str]:
    found = account.sagemaker.list_trials(TrialComponentName=NAME)["TrialSummaries"]
    return [trial["TrialName"] for trial in found]


def test_every_job_has_a_component_that_names_its_source(account: TrainingAccount) -> None:
    """Also a job without ExperimentConfig."""
    account.run()
    component = account.component()

    assert (component["TrialComponentName"], component["DisplayName"]) == (NAME, NAME)
    assert component["Source"] == {"SourceArn": ARN, "SourceType": "SageMakerTrainingJob"}
    assert trials_of(account) == []


def test_component_is_found_by_its_source(account: TrainingAccount) -> None:
    account.run()
    found = account.sagemaker.list_trial_components(SourceArn=ARN)["TrialComponentSummaries"]

    assert [component["TrialComponentName"] for component in found] == [NAME]
    assert found[0]["TrialComponentSource"] == {"SourceArn": ARN, "SourceType": "SageMakerTrainingJob"}


def test_component_has_the_given_name_in_its_trial(account: TrainingAccount) -> None:
    make_trial(account)
    account.run(ExperimentConfig={"TrialName": "trial", "TrialComponentDisplayName": "Training"})

    assert account.component()["DisplayName"] == "Training"
    assert trials_of(account) == ["trial"]


def test_a_job_that_names_only_its_experiment_gets_a_trial(account: TrainingAccount) -> None:
    account.sagemaker.create_experiment(ExperimentName="digits")
    account.run(ExperimentConfig={"ExperimentName": "digits"})

    assert trials_of(account) == ["job-aws-trial"]


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"TrialName": "gone"}, "ResourceNotFound"),
        ({"ExperimentName": "gone"}, "ResourceNotFound"),
        ({"TrialName": "trial", "ExperimentName": "other"}, "ValidationException"),
    ],
)
def test_rejected_experiment_config_changes_nothing(account: TrainingAccount, config: Any, code: str) -> None:
    make_trial(account)
    account.sagemaker.create_experiment(ExperimentName="other")

    with pytest.raises(account.sagemaker.exceptions.ClientError) as caught:
        account.submit(ExperimentConfig=config)
    assert caught.value.response["Error"]["Code"] == code
    assert account.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    assert account.sagemaker.list_trial_components()["TrialComponentSummaries"] == []


def test_parameters_are_typed_as_by_the_service(account: TrainingAccount) -> None:
    """Numbers become numbers; all other values stay as the SDK sent them, with their quotes."""
    sent = {"epochs": "2", "lr": "1e-05", "optimizer": '"sgd"', "flag": "true", "none": "null", "nan": "NaN"}
    account.run(HyperParameters={**sent, "list": "[1, 2]"})

    assert account.component()["Parameters"] == {
        "SageMaker.ImageUri": {"StringValue": interpreter(sys.executable)},  # no container runs
        "SageMaker.InstanceCount": {"NumberValue": 1.0},
        "SageMaker.InstanceType": {"StringValue": "ml.m5.xlarge"},
        "SageMaker.VolumeSizeInGB": {"NumberValue": 30.0},
        "epochs": {"NumberValue": 2.0},
        "lr": {"NumberValue": 1e-05},
        "optimizer": {"StringValue": '"sgd"'},
        "flag": {"StringValue": "true"},
        "none": {"StringValue": "null"},
        "nan": {"StringValue": "NaN"},
        "list": {"StringValue": "[1, 2]"},
        "sagemaker_program": {"StringValue": '"train.py"'},
        "sagemaker_submit_directory": {"StringValue": f'"{CODE}"'},
    }


def test_artifacts_are_the_channels_and_the_model(account: TrainingAccount) -> None:
    account.put("data/rows.csv")
    account.run(SAVES, InputDataConfig=[CHANNEL], DebugHookConfig={"S3OutputPath": "s3://bucket/debug"})
    component = account.component()

    assert component["InputArtifacts"] == {"training": {"Value": "s3://bucket/data"}}
    assert component["OutputArtifacts"] == {
        "SageMaker.DebugHookOutput": {"Value": "s3://bucket/debug"},
        "SageMaker.ModelArtifact": {"Value": "s3://bucket/jobs/job/output/model.tar.gz"},
    }


def test_component_has_the_status_and_times_of_the_job(account: TrainingAccount) -> None:
    account.submit("print('started', flush=True)\nimport os\nwhile not os.path.exists('go'): pass")
    account.follow()
    assert account.component()["Status"] == {"PrimaryStatus": "InProgress"}
    (account.ml() / "code" / "go").touch()
    job, component = account.wait(), account.component()

    assert component["Status"] == {"PrimaryStatus": "Completed"}
    assert (component["StartTime"], component["EndTime"]) == (job["TrainingStartTime"], job["TrainingEndTime"])


def test_job_continues_without_its_component(account: TrainingAccount) -> None:
    account.submit("print('started', flush=True)\nimport os\nwhile not os.path.exists('go'): pass\nprint('loss=1;')")
    account.follow()
    account.sagemaker.delete_trial_component(TrialComponentName=NAME)
    (account.ml() / "code" / "go").touch()

    assert account.wait()["TrainingJobStatus"] == "Completed"
    assert account.log() == ["started", "loss=1;"]
