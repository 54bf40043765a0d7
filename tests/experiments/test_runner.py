"""One trial of an experiment, with a script of somebody's own."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import (
    AlreadyExistsError,
    ConfigError,
    ExperimentRunner,
    JobFailedError,
    JobSpec,
    JobTimeoutError,
    MetricDefinition,
    Workspace,
    mnist_job,
    where,
)
from mnist_tracking._aws.sdk import load
from mnist_tracking.embedded import EmbeddedSageMaker, Fault


def test_a_trial_comes_back_as_it_was_recorded(runner: ExperimentRunner) -> None:
    trial = runner.run({"slope": 4.0, "steps": 2, "behaviour": "train"}, name="first")

    assert trial.status == "Completed"
    assert trial.hyperparameters == {"slope": 4, "steps": 2, "behaviour": "train"}
    assert (trial.name, trial.experiment) == ("first", "lines")
    score = trial.metrics["score"]
    assert (score.count, score.last, score.min, score.max) == (2, 3.0, 2.0, 3.0)
    assert (trial.model_uri or "").endswith("/output/model.tar.gz")


def test_a_trial_of_a_job_is_found_by_the_tags_of_its_runner_while_it_runs_too(
    workspace: Workspace, toy_job: Callable[..., JobSpec]
) -> None:
    """SageMaker makes the component of a job itself, and does not tag it."""
    runner = ExperimentRunner(workspace, "lines", job=toy_job(), tags={"team": "cv"})
    running = runner.submit({"behaviour": "hang"}, name="hanging")

    found = [trial.name for trial in workspace.trials(where=where.tag("team") == "cv")]

    running.stop()
    assert found == ["hanging"]


def test_what_sagemaker_makes_late_is_tagged_when_its_trial_is_waited_for(
    engine: EmbeddedSageMaker, toy_job: Callable[..., JobSpec]
) -> None:
    workspace = Workspace.embedded(engine=engine, tags={"team": "cv"})
    late = Fault("ResourceNotFound", operation="DescribeTrialComponent")
    with engine.inject(late) as injection:
        ExperimentRunner(workspace, "lines", job=toy_job()).submit({"steps": 1}, name="late")
    assert list(workspace.trials(where=where.tag("team") == "cv")) == []

    Workspace.embedded(engine=engine).submitted("late").wait()

    assert injection.failures == 1
    assert [trial.name for trial in workspace.trials(where=where.tag("team") == "cv")] == ["late"]


def test_constructing_again_finds_the_experiment_and_keeps_its_description(
    runner: ExperimentRunner, workspace: Workspace
) -> None:
    ExperimentRunner(workspace, runner.name, description="Another.")

    described = workspace.client("sagemaker").describe_experiment(ExperimentName="lines")
    assert described["Description"] == "Fitted lines."
    with pytest.raises(AlreadyExistsError, match="'lines'"):
        ExperimentRunner(workspace, "lines", create=True)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [("exit", "ExitCode 7"), ("raise", "the data are upside down"), ("killed", "signal|ExitCode -?9|SIGKILL")],
)
def test_a_failing_script_gives_the_reason_and_keeps_the_trial(
    runner: ExperimentRunner, workspace: Workspace, behaviour: str, said: str
) -> None:
    with pytest.raises(JobFailedError, match=said):
        runner.run({"behaviour": behaviour}, name="broken")

    trials = workspace.client("sagemaker").list_trials(ExperimentName="lines")["TrialSummaries"]
    assert [trial["TrialName"] for trial in trials] == ["broken"]


def test_a_script_without_metrics_completes(runner: ExperimentRunner) -> None:
    trial = runner.run({"behaviour": "silent"})

    assert (trial.status, dict(trial.metrics)) == ("Completed", {})


def test_waiting_can_be_bounded(runner: ExperimentRunner, workspace: Workspace) -> None:
    with pytest.raises(JobTimeoutError, match="It keeps running"):
        runner.run({"behaviour": "hang"}, timeout_s=0.1)

    runner.cleanup()
    assert workspace.client("sagemaker").list_experiments()["ExperimentSummaries"] == []


def test_generated_names_differ_within_a_second(runner: ExperimentRunner) -> None:
    names = {runner.run({"steps": 1}).name for _ in range(2)}

    assert len(names) == 2


@pytest.mark.parametrize(("name", "better"), [("my_experiment", "'my-experiment'"), ("x" * 121, "121 characters")])
def test_a_bad_experiment_name_is_refused_with_one_that_would_do(workspace: Workspace, name: str, better: str) -> None:
    with pytest.raises(ConfigError, match=better):
        ExperimentRunner(workspace, name)


def test_an_entry_point_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()

    with pytest.raises(ConfigError, match=r"does not exist.*'train.py'"):
        JobSpec(entry_point="trian.py", source_dir=tmp_path)


@pytest.mark.parametrize(("regex", "said"), [("loss: .*", "has no group"), ("(", "does not compile")])
def test_a_bad_metric_regex_is_refused(regex: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MetricDefinition("loss", regex)


def test_an_unknown_hyperparameter_is_refused_before_anything_is_sent(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "digits", job=mnist_job(epochs=1))

    with pytest.raises(ConfigError, match="hiden_channels"):
        runner.run({"hiden_channels": 2})
    with pytest.raises(ConfigError, match="epochs"):
        runner.run({"epochs": "two"})

    assert workspace.client("sagemaker").list_trials()["TrialSummaries"] == []


def test_data_are_uploaded_once(runner: ExperimentRunner, workspace: Workspace, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")

    first = runner.upload_dataset(data, fingerprint="abc", parameters={"rows": 1})
    again = ExperimentRunner(workspace, "lines").upload_dataset(data, fingerprint="abc", parameters={"rows": 1})

    assert first.name == again.name
    assert first.parameters["rows"] == 1
    assert runner.data_uri == first.inputs[0].uri


def test_a_home_that_is_not_writable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="is not a folder"):
        Workspace.embedded(tmp_path / "file" / "home")


def test_the_job_sees_no_credentials(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_job: Callable[..., JobSpec]
) -> None:
    (tmp_path / "look.py").write_text("import os\nprint(f'keys={sum(\"AWS_SEC\" in k for k in os.environ)};')\n")
    monkeypatch.setitem(os.environ, "AWS_SECRET_ACCESS_KEY", "secret")
    job = JobSpec(entry_point=tmp_path / "look.py", metrics={"keys": r"keys=(\d+);"})

    trial = ExperimentRunner(workspace, "look", job=job).run()

    assert trial.metrics["keys"].last == 0.0


@pytest.mark.parametrize("timeout_s", [-1, "soon", True, float("nan")])
def test_a_time_to_wait_that_is_none_is_refused_before_anything_is_sent(
    runner: ExperimentRunner, workspace: Workspace, timeout_s: Any
) -> None:
    with pytest.raises(ConfigError, match="expected seconds >= 0, or None"):
        runner.run({}, name="never", timeout_s=timeout_s)

    assert list(workspace.trials("lines")) == []


@pytest.mark.parametrize("operation", ["CreateTrial", "CreateTrainingJob", "DescribeTrainingJob"])
def test_an_interrupt_at_any_moment_leaves_no_job_running(
    runner: ExperimentRunner, workspace: Workspace, operation: str
) -> None:
    """The interrupt comes right after the service has done what it was asked."""

    def interrupt(**_: object) -> None:
        workspace.client("sagemaker").meta.events.unregister(event, interrupt)
        raise KeyboardInterrupt

    event = f"after-call.sagemaker.{operation}"
    workspace.client("sagemaker").meta.events.register(event, interrupt)

    with pytest.raises(KeyboardInterrupt):
        runner.run({"behaviour": "hang"})

    jobs = workspace.client("sagemaker").list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
    assert jobs == []
    trials = workspace.client("sagemaker").list_trials()["TrialSummaries"]
    assert len(trials) == (operation != "CreateTrial")  # one without a job is deleted again


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), LookupError("a bug"), tarfile.TarError()])
@pytest.mark.parametrize("method", ["run", "submit"])
def test_any_error_at_submit_takes_the_trial_back(
    runner: ExperimentRunner, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, error: Exception, method: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    load()
    monkeypatch.setattr("sagemaker.utils.create_tar_file", fail)
    with pytest.raises((ConfigError, tarfile.TarError)):
        getattr(runner, method)({}, name="first")

    assert workspace.client("sagemaker").list_trials()["TrialSummaries"] == []


def test_an_error_after_the_job_was_started_stops_it(runner: ExperimentRunner, workspace: Workspace) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("a bug")

    workspace.client("sagemaker").meta.events.register("after-call.sagemaker.CreateTrainingJob", fail)
    with pytest.raises(ConfigError, match="a bug"):
        runner.submit({"behaviour": "hang"}, name="first")

    assert workspace.submitted("first").wait().status == "Stopped"


def test_a_trial_that_somebody_stopped_is_no_error(runner: ExperimentRunner, workspace: Workspace) -> None:
    submitted = runner.submit({"behaviour": "hang"}, name="stopped")
    assert next(submitted.logs(follow=True)) == "hanging"

    workspace.submitted("stopped").stop()

    assert submitted.result().status == "Stopped"
