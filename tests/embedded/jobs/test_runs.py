"""A job that is part of a run, as `sagemaker.experiments.Run` starts it: the job uses the run's component."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking._aws.sdk import quiet

SAVES = "import os\nopen(os.environ['SM_MODEL_DIR'] + '/model', 'w').close()\nprint('loss=1;')"
METRICS = {
    "TrainingImage": "image",
    "TrainingInputMode": "File",
    "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*?);"}],
}
ARN = "arn:aws:sagemaker:us-east-1:000000000000:training-job/job"


@pytest.fixture
def run(account: TrainingAccount) -> Iterator[Any]:
    """An open run of the real SDK."""
    with quiet():
        import sagemaker
        from sagemaker.experiments import Run

        session = sagemaker.Session(boto_session=account.engine.session())
        with Run(experiment_name="digits", run_name="first", sagemaker_session=session) as run:
            yield run


def component(account: TrainingAccount) -> dict[str, Any]:
    """Describe the run's component."""
    described: dict[str, Any] = account.sagemaker.describe_trial_component(TrialComponentName="digits-first")
    return described


def test_component_of_the_run_holds_what_the_job_did(account: TrainingAccount, run: Any) -> None:
    account.run(
        SAVES, ExperimentConfig=run.experiment_config, HyperParameters={"lr": "0.1"}, AlgorithmSpecification=METRICS
    )
    told = component(account)

    assert told["Parameters"]["lr"] == {"NumberValue": 0.1}
    assert [(metric["MetricName"], metric["Last"]) for metric in told["Metrics"]] == [("loss", 1.0)]
    assert "SageMaker.ModelArtifact" in told["OutputArtifacts"]
    assert told["Sources"] == [{"SourceArn": ARN, "SourceType": "SageMakerTrainingJob"}]
    assert account.describe()["ExperimentConfig"]["RunName"] == "digits-first"


def test_job_of_a_run_has_no_component_of_its_own(account: TrainingAccount, run: Any) -> None:
    account.run(SAVES, ExperimentConfig=run.experiment_config)
    names = [
        [
            found["TrialComponentName"]
            for found in account.sagemaker.list_trial_components(**by)["TrialComponentSummaries"]
        ]
        for by in ({}, {"SourceArn": ARN.upper()}, {"TrialName": run.run_group_name})
    ]

    assert names == [["digits-first"]] * 3


@pytest.mark.parametrize("script", [SAVES, "raise SystemExit(1)", WAITS])
def test_component_keeps_the_status_and_times_of_the_run(account: TrainingAccount, run: Any, script: str) -> None:
    before = component(account)
    account.submit(script, ExperimentConfig=run.experiment_config)
    if script == WAITS:
        account.follow()
        account.stop()
    account.wait()
    after = component(account)

    assert before["Status"]["PrimaryStatus"] == "InProgress"
    assert after["Status"] == before["Status"]
    assert after["StartTime"] == before["StartTime"]
    assert "EndTime" not in after


def test_a_run_that_does_not_exist_is_not_found(account: TrainingAccount) -> None:
    with pytest.raises(account.sagemaker.exceptions.ResourceNotFound, match="Trial component 'gone' does not exist"):
        account.submit(ExperimentConfig={"RunName": "gone"})

    assert account.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
