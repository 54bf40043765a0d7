"""Cleaning up: what this library made goes, whatever happened before; what others made stays as it is."""

from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import ExperimentRunner, JobTimeoutError, NotFoundError, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault

OURS = [{"Key": "mnist-tracking:created-by", "Value": "mnist-tracking"}]


@pytest.fixture
def client(workspace: Workspace) -> Any:
    return workspace.client("sagemaker")


@pytest.fixture
def prepared(runner: ExperimentRunner, tmp_path: Path) -> ExperimentRunner:
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    runner.upload_dataset(data)
    return runner


def steps_of(client: Any, trial: str) -> list[str]:
    return [c["TrialComponentName"] for c in client.list_trial_components(TrialName=trial)["TrialComponentSummaries"]]


def test_cleaning_up_twice_says_that_there_is_nothing_more(runner: ExperimentRunner) -> None:
    runner.cleanup()

    with pytest.raises(NotFoundError, match="No experiment named 'lines'"):
        runner.cleanup()


@pytest.mark.parametrize("operation", ["DeleteTrialComponent", "DeleteTrial", "DeleteObjects", "DeleteExperiment"])
def test_an_interrupted_cleanup_carries_on(prepared: ExperimentRunner, client: Any, operation: str) -> None:
    """Wherever it stopped, the next call finds the rest, the objects too."""
    prepared.run({"steps": 1})
    events = prepared.workspace.client("s3" if operation == "DeleteObjects" else "sagemaker").meta.events

    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    events.register_first(f"before-parameter-build.*.{operation}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepared.cleanup()
    events.unregister(f"before-parameter-build.*.{operation}", interrupt)
    prepared.cleanup()

    assert client.list_experiments()["ExperimentSummaries"] == []
    assert client.list_trial_components()["TrialComponentSummaries"] == []
    assert "Contents" not in prepared.workspace.client("s3").list_objects_v2(Bucket=prepared.workspace.bucket)


def test_what_others_made_stays_attached(prepared: ExperimentRunner, client: Any) -> None:
    mine = prepared.run({"steps": 1}).name
    client.create_trial(TrialName="theirs", ExperimentName=prepared.name)
    client.create_trial_component(TrialComponentName="their-step")
    for trial in ("theirs", mine):
        client.associate_trial_component(TrialName=trial, TrialComponentName="their-step")

    report = prepared.cleanup()

    assert {(kind, name) for kind, name, _ in report.kept if kind != "training job"} == {
        ("trial component", "their-step"),
        ("trial", "theirs"),
        ("experiment", "lines"),
    }
    assert steps_of(client, "theirs") == ["their-step"]
    assert [trial["TrialName"] for trial in client.list_trials()["TrialSummaries"]] == ["theirs"]


def test_an_endpoint_that_a_step_only_mentions_stays(runner: ExperimentRunner, client: Any) -> None:
    """A step of somebody's own may name a production endpoint, in a parameter or as an artifact."""
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312"
    role = "arn:aws:iam::000000000000:role/r"
    client.create_model(ModelName="prod", ExecutionRoleArn=role, PrimaryContainer={"Image": image})
    variant = {"VariantName": "a", "ModelName": "prod", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    client.create_endpoint_config(EndpointConfigName="prod", ProductionVariants=[variant])
    arn = client.create_endpoint(EndpointName="prod", EndpointConfigName="prod")["EndpointArn"]
    client.create_trial(TrialName="shadow", ExperimentName=runner.name, Tags=OURS)
    client.create_trial_component(
        TrialComponentName="compared",
        Parameters={"endpoint_name": {"StringValue": "prod"}},
        OutputArtifacts={"endpoint": {"Value": arn}},
        Tags=OURS,
    )
    client.associate_trial_component(TrialName="shadow", TrialComponentName="compared")

    runner.cleanup()

    assert [endpoint["EndpointName"] for endpoint in client.list_endpoints()["Endpoints"]] == ["prod"]
    client.delete_endpoint(EndpointName="prod")


def test_a_step_of_another_experiment_too_stays_with_its_data(prepared: ExperimentRunner, client: Any) -> None:
    prepared.run({"steps": 1}, name="mine")
    (step, *_) = [name for name in steps_of(client, "mine") if "preprocessing" in name]
    ExperimentRunner(prepared.workspace, "other")
    client.create_trial(TrialName="other-trial", ExperimentName="other")
    client.associate_trial_component(TrialName="other-trial", TrialComponentName=step)

    report = prepared.cleanup()

    kept = {kind: reason for kind, _, reason in report.kept}
    assert kept["trial component"] == "also in trial other-trial of experiment other"
    assert kept["S3 objects"] == f"data of {step}"
    listed = prepared.workspace.client("s3").list_objects_v2(Bucket=prepared.workspace.bucket)["Contents"]
    assert [item["Key"].rsplit("/", 1)[1] for item in listed] == ["rows.csv"]


def test_a_dataset_that_no_trial_used_goes_too(prepared: ExperimentRunner, client: Any) -> None:
    prepared.cleanup()

    assert client.list_trial_components()["TrialComponentSummaries"] == []


def test_running_jobs_are_stopped_first(runner: ExperimentRunner, client: Any) -> None:
    with pytest.raises(JobTimeoutError):
        runner.run({"behaviour": "hang"}, timeout_s=0.0)

    runner.cleanup()

    (job,) = client.list_training_jobs()["TrainingJobSummaries"]
    assert job["TrainingJobStatus"] == "Stopped"


def test_more_than_a_page_of_trials_go(runner: ExperimentRunner, client: Any) -> None:
    for number in range(101):
        client.create_trial(TrialName=f"trial-{number}", ExperimentName=runner.name, Tags=OURS)

    report = runner.cleanup()

    assert [kind for kind, _ in report.deleted] == ["trial"] * 101 + ["experiment"]
    assert str(report) == "deleted 101 trials, 1 experiment, 0 S3 objects"


def test_objects_elsewhere_stay(runner: ExperimentRunner) -> None:
    """Also those of an experiment whose name begins with this one's."""
    s3, bucket = runner.workspace.client("s3"), runner.workspace.bucket
    for key in ("mnist-tracking/lines-2/a", "mnist-tracking/lines/a", "lines/a"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")

    assert runner.cleanup_plan(include_foreign=True).execute().objects == 1

    left = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == ["lines/a", "mnist-tracking/lines-2/a"]


def test_a_link_that_the_service_still_sees_is_waited_out(tmp_path: Path) -> None:
    """Disassociating is eventually consistent (aws/sagemaker-python-sdk pull request 1515)."""
    naps: list[float] = []
    engine = EmbeddedSageMaker(tmp_path / "home", sleep=naps.append)
    runner = ExperimentRunner(Workspace.embedded(engine=engine), "lines")
    with runner.trial():
        pass
    linked = "TrialComponent 'arn' is linked to 1 or more trials and cannot be deleted."
    injection = engine.inject(Fault("ValidationException", operation="DeleteTrialComponent", times=2, message=linked))

    report = runner.cleanup()

    assert injection.failures == len(naps) == 2
    assert [kind for kind, _ in report.deleted] == ["trial component", "trial", "experiment"]
    engine.close()
