"""A cleanup keeps what others use, or have put there: it names the readers, and what it keeps stays usable."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.sent import record_calls

from mnist_tracking import BestModelDeployer, ExperimentRunner, JobSpec, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault
from mnist_tracking.types import CleanupPlan

ROLE = "arn:aws:iam::000000000000:role/r"
Files = Callable[[], list[str]]


@pytest.fixture
def lines(workspace: Workspace, tmp_path: Path, script: Path) -> ExperimentRunner:
    """An experiment with data, and two trials with a model each."""
    runner = ExperimentRunner(workspace, "lines")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("1,2\n")
    runner.upload_dataset(tmp_path / "data")
    for name in ("a", "b"):
        with runner.trial(name=name) as trial:
            trial.log_model(script, entry_point=script)
    return runner


@pytest.fixture
def files(workspace: Workspace) -> Files:
    """Returns the objects of the experiment ``lines``: the first and the last part of each key."""

    def names() -> list[str]:
        found = workspace.client("s3").list_objects_v2(Bucket=workspace.bucket, Prefix="mnist-tracking/lines/")
        keys = [item["Key"].removeprefix("mnist-tracking/lines/") for item in found.get("Contents", ())]
        return [f"{key.split('/')[0]}/{key.split('/')[-1]}" for key in keys]

    return names


def model_of(workspace: Workspace, trial: str) -> str:
    return str(workspace.trial(trial).model_uri)


def kept(plan: CleanupPlan) -> dict[str, str]:
    """Why things are kept, by the last part of their name."""
    return {item.name.rstrip("/").rsplit("/", 1)[-1]: item.reason for item in plan.to_keep}


def test_data_that_another_experiment_uses_is_kept(workspace: Workspace, lines: ExperimentRunner, files: Files) -> None:
    """dvc#3476: the data of one experiment is the input of another."""
    other = ExperimentRunner(workspace, "other")
    data = str(lines.data_uri)
    other.use_dataset(data)
    plan = lines.cleanup_plan()
    plan.execute()

    reason = "used by step Preprocessing of experiment other"
    assert kept(plan) == {data.rsplit("/", 1)[-1]: reason, "lines": "some of its data is in use"}
    assert f"keeps S3 objects {data}/: {reason}" in str(plan).splitlines()
    assert files() == ["data/rows.csv"]


def test_data_is_deleted_when_nobody_uses_it_any_more(
    workspace: Workspace, lines: ExperimentRunner, files: Files
) -> None:
    other = ExperimentRunner(workspace, "other")
    other.use_dataset(str(lines.data_uri))
    lines.cleanup()
    other.cleanup()
    lines.cleanup()

    assert files() == []
    assert [found.name for found in workspace.experiments()] == []


def test_readers_can_be_ignored(workspace: Workspace, lines: ExperimentRunner, files: Files) -> None:
    ExperimentRunner(workspace, "other").use_dataset(str(lines.data_uri))
    plan = lines.cleanup_plan(ignore_readers=True)
    plan.execute()

    assert (plan.to_keep, files()) == ((), [])


@pytest.mark.parametrize("where", ["folder", "object", "above", "slash"])
def test_use_is_recognized_wherever_the_location_begins(
    workspace: Workspace, lines: ExperimentRunner, where: str
) -> None:
    data = str(lines.data_uri)
    uri = {"folder": data, "object": f"{data}/rows.csv", "above": data.rsplit("/", 3)[0], "slash": f"{data}/"}[where]
    with ExperimentRunner(workspace, "other").trial(name="reader") as trial:
        trial.log_input("anything", uri)

    reasons = kept(lines.cleanup_plan())
    assert reasons[data.rsplit("/", 1)[-1]] == "used by trial reader of experiment other"
    assert ("a" in reasons) == (where == "above")


def test_model_that_a_job_of_another_experiment_reads_is_kept_with_its_code(
    workspace: Workspace, lines: ExperimentRunner, toy_job: Callable[..., JobSpec], files: Files
) -> None:
    """Whoever keeps a model needs its code to deploy it."""
    other = ExperimentRunner(workspace, "other", job=toy_job(inputs={"weights": model_of(workspace, "a")}))
    other.run({"steps": 1}, name="finetuned")
    plan = lines.cleanup_plan()
    plan.execute()

    reason = "used by trial finetuned of experiment other"
    assert [(item.kind, item.reason) for item in plan.to_keep] == [
        ("S3 objects", reason),
        ("experiment", "some of its data is in use"),
    ]
    assert files() == ["jobs/model.tar.gz", "jobs/sourcedir.tar.gz"]


def test_model_of_somebody_else_keeps_its_archive(
    workspace: Workspace, lines: ExperimentRunner, client: Any, files: Files
) -> None:
    """mlflow#3160: a registered model refers to files of a run."""
    container = {"Image": "image", "ModelDataUrl": model_of(workspace, "b")}
    client.create_model(ModelName="production", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    plan = lines.cleanup_plan()
    plan.execute()

    assert kept(plan)["b"] == "used by model production"
    assert files() == ["jobs/model.tar.gz", "jobs/sourcedir.tar.gz"]


def test_what_is_used_since_the_plan_was_made_is_kept(
    workspace: Workspace, lines: ExperimentRunner, files: Files
) -> None:
    """The model with its code, and with them the experiment, by which a later cleanup finds them."""
    plan = lines.cleanup_plan()
    with ExperimentRunner(workspace, "other").trial(name="late") as trial:
        trial.log_input("weights", model_of(workspace, "a"))
    report = plan.execute()

    assert {(kind, reason) for kind, _, reason in report.kept} == {
        ("S3 objects", "used by trial late of experiment other"),
        ("experiment", "some of its data is in use"),
    }
    assert files() == ["jobs/model.tar.gz", "jobs/sourcedir.tar.gz"]


def test_own_deployments_are_no_readers(workspace: Workspace, lines: ExperimentRunner, client: Any) -> None:
    BestModelDeployer(workspace).deploy("a", wait=False)
    report = lines.cleanup()

    assert {kind for kind, _, _ in report.kept} == set()
    assert client.list_models()["Models"] == []


def test_kept_trial_can_still_be_deployed(
    workspace: Workspace, toy_job: Callable[..., JobSpec], tmp_path: Path, script: Path
) -> None:
    """Also if its code was uploaded by another trial's job."""
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    first = runner.run({"steps": 1}, name="first")
    with runner.trial(name="second") as second:
        uri = second.log_model(script)
        second.log_parameters({"sagemaker_submit_directory": first.code_uri, "sagemaker_program": "train.py"})
    runner.cleanup_plan(trials=["first"]).execute()

    plan = BestModelDeployer(workspace).plan("second")
    assert (plan.model_uri, plan.trial.code_uri) == (uri, first.code_uri)


@pytest.mark.parametrize("key", ["notes.txt", "jobs/theirs/model.tar.gz", "data/raw/rows.csv", "data/x", "raw/1/2/3"])
def test_object_that_others_put_below_the_prefix_is_kept(
    workspace: Workspace, lines: ExperimentRunner, key: str
) -> None:
    """Also if the experiment uses it as data that was in S3 already."""
    s3, bucket = workspace.client("s3"), workspace.bucket
    s3.put_object(Bucket=bucket, Key=f"mnist-tracking/lines/{key}", Body=b"1")
    lines.use_dataset(f"s3://{bucket}/mnist-tracking/lines/{key}".rpartition("/")[0])
    plan = lines.cleanup_plan()
    plan.execute()
    left = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]

    assert left == [f"mnist-tracking/lines/{key}"]
    assert [(item.kind, item.reason) for item in plan.to_keep] == [("S3 objects", "not created by mnist-tracking")]


def test_objects_of_others_are_deleted_when_included(workspace: Workspace, lines: ExperimentRunner) -> None:
    s3, bucket = workspace.client("s3"), workspace.bucket
    s3.put_object(Bucket=bucket, Key="mnist-tracking/lines/notes.txt", Body=b"1")
    lines.cleanup_plan(include_foreign=True).execute()

    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_unfinished_upload_is_aborted(engine: EmbeddedSageMaker, workspace: Workspace, tmp_path: Path) -> None:
    """Its parts are billed, and no list of objects shows them. Uploads of others are kept."""
    runner = ExperimentRunner(workspace, "lines")
    s3, bucket = workspace.client("s3"), workspace.bucket
    s3.create_multipart_upload(Bucket=bucket, Key=f"mnist-tracking/lines/data/{'0a' * 8}/large.bin")
    s3.create_multipart_upload(Bucket=bucket, Key="mnist-tracking/lines/theirs/large.bin")
    plan = runner.cleanup_plan()
    report = plan.execute()

    assert [(item.kind, item.deletable) for item in plan.items if item.kind == "unfinished upload"] == [
        ("unfinished upload", True),
        ("unfinished upload", False),
    ]
    assert {kind for kind, _ in report.deleted} == {"unfinished upload", "experiment"}
    assert [each["Key"] for each in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [
        "mnist-tracking/lines/theirs/large.bin"
    ]


def test_readers_cost_a_search_page_and_a_list_of_models(
    workspace: Workspace, engine: EmbeddedSageMaker, lines: ExperimentRunner
) -> None:
    """For each hundred steps one call more, and one for each model."""
    counted = Workspace.embedded(engine=engine)
    calls = record_calls(counted)
    counted.cleanup_plan("lines")  # finds the account
    warm = len(calls)
    counted.cleanup_plan("lines", ignore_readers=True)
    without = [name for name, _ in calls[warm:]]
    counted.cleanup_plan("lines")
    added = Counter(name for name, _ in calls[warm + len(without) :]) - Counter(without)

    assert added == {"Search": 1, "ListModels": 1}


def test_readers_that_may_not_be_looked_up_are_an_error(engine: EmbeddedSageMaker, lines: ExperimentRunner) -> None:
    with engine.inject(Fault("AccessDeniedException", operation="ListModels", times=None)):
        with pytest.raises(Exception, match="ListModels"):
            lines.cleanup_plan()
        assert lines.cleanup_plan(ignore_readers=True).to_keep == ()
