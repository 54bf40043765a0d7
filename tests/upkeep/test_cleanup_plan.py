"""A cleanup as a plan: what goes, what stays and why, and that making it changes nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.sent import record_calls

from mnist_tracking import BestModelDeployer, ConfigError, ExperimentRunner, JobTimeoutError, NotFoundError, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault, Lag
from mnist_tracking.types import CleanupPlan

Names = Callable[[], list[str]]


@pytest.fixture
def tracked(workspace: Workspace, tmp_path: Path) -> ExperimentRunner:
    """An experiment with data and two trials, each with a file and a model."""
    runner = ExperimentRunner(workspace, "lines")
    runner.upload_dataset(write(tmp_path / "data" / "rows.csv", "1,2\n").parent)
    for name in ("a", "b"):
        with runner.trial({"slope": 1.0}, name=name) as trial:
            trial.log_artifact(write(tmp_path / name / "notes.txt", "x" * 100))
            trial.log_model(tmp_path / "data" / "rows.csv")
    return runner


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def trials(client: Any) -> Names:
    """Returns the names of all trials."""
    return lambda: sorted(trial["TrialName"] for trial in client.list_trials()["TrialSummaries"])


@pytest.fixture
def files(workspace: Workspace) -> Names:
    """Returns the names of all objects, without what is above the experiment and without generated names."""

    def names() -> list[str]:
        found = workspace.client("s3").list_objects_v2(Bucket=workspace.bucket).get("Contents", [])
        return sorted(f"{item['Key'].split('/')[2]}/{item['Key'].rsplit('/', 1)[1]}" for item in found)

    return names


def reasons(plan: CleanupPlan) -> dict[str, str]:
    """Why things stay, by kind; training jobs left out."""
    return {item.kind: item.reason for item in plan.to_keep if item.kind != "training job"}


def test_a_plan_lists_everything_and_changes_nothing(
    workspace: Workspace, engine: EmbeddedSageMaker, tracked: ExperimentRunner, script: Path
) -> None:
    reading = Workspace.embedded(engine=engine)
    calls = record_calls(reading)
    with BestModelDeployer(tracked.workspace).deploy("a", entry_point=script, delete=False):
        plan = reading.cleanup_plan("lines")

    kinds = [item.kind for item in plan.items]
    assert list(dict.fromkeys(kinds)) == [
        *("endpoint", "endpoint config", "model", "S3 objects", "trial component", "trial", "experiment")
    ]
    assert [kinds.count(kind) for kind in ("endpoint", "S3 objects", "trial component", "trial")] == [1, 6, 4, 2]
    assert plan.to_keep == ()
    assert {name for name, _ in calls if not name.startswith(("Describe", "List", "Search", "Head", "Get"))} == set()
    plan.execute()


def test_what_is_left_of_an_endpoint_that_is_gone_is_listed(
    workspace: Workspace, engine: EmbeddedSageMaker, tracked: ExperimentRunner, client: Any, script: Path
) -> None:
    """AWS refuses to list the tags of what was deleted (aws/amazon-sagemaker-feedback, issue 108)."""
    endpoint = BestModelDeployer(tracked.workspace).deploy("a", entry_point=script, delete=False)
    client.delete_endpoint(EndpointName=endpoint.name)

    gone = Fault("ValidationException", operation="ListTags", when=lambda p: ":endpoint/" in p["ResourceArn"])
    with engine.inject(gone):
        plan = tracked.cleanup_plan()

    assert [item.kind for item in plan.to_delete if item.name == endpoint.name] == ["endpoint config", "model"]
    plan.execute()
    assert (client.list_endpoint_configs()["EndpointConfigs"], client.list_models()["Models"]) == ([], [])


def test_objects_are_listed_by_folder_with_their_size(workspace: Workspace, tracked: ExperimentRunner) -> None:
    objects = [item for item in tracked.cleanup_plan().items if item.kind == "S3 objects"]

    data = next(item for item in objects if "/data/" in item.name)
    assert (data.objects, data.size_bytes, data.trial) == (1, 4, None)
    assert {(item.objects, item.size_bytes, item.trial) for item in objects if "/steps/" in item.name} == {
        (1, 100, "a"),
        (1, 100, "b"),
    }
    assert {item.name.split("/lines/")[1] for item in objects if "/jobs/" in item.name} == {"jobs/a/", "jobs/b/"}


def test_training_jobs_cannot_be_deleted(runner: ExperimentRunner) -> None:
    trial = runner.run({"steps": 1})

    plan = runner.cleanup_plan()

    (job,) = [item for item in plan.items if item.kind == "training job"]
    assert (job.name, job.trial, job.deletable) == (trial.job_name, trial.name, False)
    assert job.reason == "training jobs cannot be deleted on AWS"
    assert ("training job", job.name, job.reason) in plan.execute().kept


def test_a_plan_reads_well(workspace: Workspace, tracked: ExperimentRunner) -> None:
    plan = tracked.cleanup_plan(keep_data=True)

    said = str(plan).splitlines()
    assert said[0] == "cleanup of experiment lines"
    assert "deletes 2 trials: a, b" in said
    assert said[3].startswith("deletes 4 S3 objects (")
    assert said[3].endswith("/mnist-tracking/lines/: jobs/a/, jobs/b/, steps/" + said[3].rsplit("steps/", 1)[1])
    assert "keeps experiment lines: the data is kept" in said
    assert repr(plan).startswith("<CleanupPlan of 'lines': 8 to delete, 3 to keep, ")
    assert "kept because" in plan._repr_html_()


def test_a_plan_is_a_frame(workspace: Workspace, tracked: ExperimentRunner) -> None:
    frame = tracked.cleanup_plan().dataframe()

    assert list(frame.columns) == ["kind", "name", "trial", "objects", "size_bytes", "deletable", "reason"]
    assert frame["size_bytes"].sum() == tracked.cleanup_plan().size_bytes > 204
    assert frame["deletable"].all()


def test_only_the_trials_that_were_asked_for_go(
    workspace: Workspace, tracked: ExperimentRunner, trials: Names, files: Names
) -> None:
    plan = tracked.cleanup_plan(trials=["a"])

    assert reasons(plan) == {"trial component": "also in trial b of experiment lines"}
    assert plan.execute().failed == ()
    assert trials() == ["b"]
    assert files() == ["data/rows.csv", "jobs/model.tar.gz", "steps/notes.txt"]
    assert [step.display_name for step in workspace.trial("b").steps] == ["Preprocessing", "Training"]


def test_what_later_trials_share_stays_with_the_experiment(
    workspace: Workspace, tracked: ExperimentRunner, trials: Names, files: Names
) -> None:
    results = list(workspace.trials("lines"))

    tracked.cleanup_plan(trials=results).execute()

    assert trials() == []
    assert files() == ["data/rows.csv"]
    with ExperimentRunner(tracked.workspace, "lines").trial(name="c"):
        pass
    assert [step.display_name for step in workspace.trial("c").steps] == ["Preprocessing", "Training"]


def test_data_that_later_data_replaced_go_with_their_trials(
    workspace: Workspace, tracked: ExperimentRunner, tmp_path: Path, files: Names
) -> None:
    tracked.upload_dataset(write(tmp_path / "new" / "more.csv", "3,4\n").parent)

    tracked.cleanup_plan(trials=["a", "b"]).execute()

    assert files() == ["data/more.csv"]


def test_trials_of_a_certain_age_go(
    workspace: Workspace, tracked: ExperimentRunner, client: Any, trials: Names
) -> None:
    made: datetime = client.describe_trial(TrialName="b")["CreationTime"]

    assert [item.name for item in tracked.cleanup_plan(older_than=made).to_delete if item.kind == "trial"] == ["a"]
    assert tracked.cleanup_plan(older_than=timedelta(days=1)).items == ()
    assert tracked.cleanup_plan(trials=["b"], older_than=made).items == ()
    tracked.cleanup_plan(older_than=made).execute()
    assert trials() == ["b"]


def test_what_is_asked_for_is_checked(workspace: Workspace, tracked: ExperimentRunner) -> None:
    with pytest.raises(NotFoundError, match="No trial named 'c'"):
        tracked.cleanup_plan(trials=["a", "c"])
    with pytest.raises(ConfigError, match=r"expected a list of trials, such as \['a'\]"):
        tracked.cleanup_plan(trials="a")
    with pytest.raises(ConfigError, match="has no time zone"):
        tracked.cleanup_plan(older_than=datetime(2026, 1, 1))
    with pytest.raises(ConfigError, match="max_parallel=0"):
        tracked.cleanup_plan().execute(max_parallel=0)


def test_data_can_be_kept(
    workspace: Workspace, tracked: ExperimentRunner, trials: Names, files: Names, tmp_path: Path
) -> None:
    plan = tracked.cleanup_plan(keep_data=True)

    assert set(reasons(plan).values()) == {"the data is kept"}
    plan.execute()
    assert (trials(), files()) == ([], ["data/rows.csv"])
    again = ExperimentRunner(Workspace.embedded(engine=workspace._engine), "lines")
    calls = record_calls(again.workspace)
    again.upload_dataset(tmp_path / "data")
    assert [name for name, _ in calls if name == "PutObject"] == []


def test_what_others_made_in_the_experiment_goes_when_asked(
    workspace: Workspace, tracked: ExperimentRunner, client: Any
) -> None:
    client.create_trial(TrialName="theirs", ExperimentName="lines")
    for component in ("their-step", "their-shared-step"):
        client.create_trial_component(TrialComponentName=component)
        client.associate_trial_component(TrialName="theirs", TrialComponentName=component)
    client.create_experiment(ExperimentName="other")
    client.create_trial(TrialName="elsewhere", ExperimentName="other")
    client.associate_trial_component(TrialName="elsewhere", TrialComponentName="their-shared-step")

    report = tracked.cleanup_plan(include_foreign=True).execute()

    assert report.kept == (("trial component", "their-shared-step", "also in trial elsewhere of experiment other"),)
    assert ("trial component", "their-step") in report.deleted
    assert [e["ExperimentName"] for e in client.list_experiments()["ExperimentSummaries"]] == ["other"]


def test_a_search_that_is_behind_hides_nothing_that_a_trial_has(
    workspace: Workspace, engine: EmbeddedSageMaker, tracked: ExperimentRunner, client: Any, files: Names
) -> None:
    engine.lag = Lag(search_s=3600.0)

    report = tracked.cleanup_plan().execute()

    assert (report.kept, report.failed) == ((), ())
    assert client.list_trial_components()["TrialComponentSummaries"] == []
    assert files() == []


def test_a_job_that_runs_is_stopped_and_what_it_writes_then_goes_too(
    runner: ExperimentRunner, client: Any, files: Names
) -> None:
    with pytest.raises(JobTimeoutError):
        runner.run({"behaviour": "hang"}, timeout_s=0.0)
    plan = runner.cleanup_plan()
    (job,) = [item for item in plan.items if item.is_running]
    late = f"{runner.workspace.prefix}/lines/jobs/{job.name}/output/late"
    runner.workspace.client("s3").put_object(Bucket=runner.workspace.bucket, Key=late, Body=b"1")

    plan.execute()

    assert f"stops 1 training job: {job.name}" in str(plan)
    assert client.describe_training_job(TrainingJobName=job.name)["TrainingJobStatus"] == "Stopped"
    assert files() == []


def test_a_job_is_stopped_before_its_component_exists(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, client: Any
) -> None:
    """SageMaker creates the component some seconds after the job, which the tag of the trial names."""
    engine.lag = Lag(components_s=3600.0)
    submitted = runner.submit({"behaviour": "hang"}, name="young")

    plan = runner.cleanup_plan()
    report = plan.execute()

    assert f"stops 1 training job: {submitted.job_name}" in str(plan)
    assert submitted.status == "Stopped"
    assert [name for _, name, _ in report.failed] == ["young"]  # as long as it has a component that is not visible

    engine.lag = Lag()
    runner.cleanup()
    assert client.list_trials()["TrialSummaries"] == client.list_trial_components()["TrialComponentSummaries"] == []


def test_a_runner_goes_on_after_a_plan_was_executed(
    workspace: Workspace, tracked: ExperimentRunner, files: Names, tmp_path: Path
) -> None:
    """It shares no step that is gone, and sends data that are gone again."""
    with tracked.step("Cleaning"):
        pass
    tracked.cleanup_plan(keep_data=True).execute()
    with tracked.trial(name="c"):
        pass
    steps = [step.display_name for step in workspace.trial("c").steps]
    tracked.cleanup_plan().execute()
    tracked.upload_dataset(tmp_path / "data")

    assert steps == ["Preprocessing", "Training"]
    assert files() == ["data/rows.csv"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trials": 3}, "expected a list of trials"),
        ({"trials": "one"}, "expected a list of trials"),
        ({"older_than": 3}, "expected a timedelta or a datetime"),
    ],
)
def test_what_no_plan_can_be_made_of_is_refused(workspace: Workspace, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ExperimentRunner(workspace, "lines").cleanup_plan(**wrong)


def test_a_report_is_a_table_too(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "lines")
    with pytest.raises(ConfigError, match="expected an integer >= 1"):
        runner.cleanup_plan().execute(max_parallel="2")  # type: ignore[arg-type]

    report = runner.cleanup()

    assert report.dataframe().values.tolist() == [["experiment", "lines", "deleted", ""]]
    assert "<table" in report._repr_html_()
