"""What is wrong is refused before anything is sent, with what would be possible; nothing is lost."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.sent import Sent

from mnist_tracking import (
    AccessDeniedError,
    BestModelDeployer,
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    LineageTracer,
    MetricDefinition,
    NotFoundError,
    Objective,
    Workspace,
)


def trials_of(workspace: Workspace) -> list[Any]:
    return list(workspace.client("sagemaker").list_trials()["TrialSummaries"])


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"slope": float("nan")}, "'slope' is nan .*expected a finite number"),
        ({"slope": np.float32("inf")}, "expected a finite number"),
        ({"slope": [{1.0}]}, "list or mapping of them"),
        ({"slope": np.ones(2)}, "ndarray"),
        ({"note": "x" * 2499}, "2501 characters; SageMaker stores at most 2500"),
        ({"": 1}, "name ''"),
        ({"x" * 257: 1}, "1 to 256"),
        ({"two\nlines": 1}, "on one line"),
        ({3: 1}, "name 3"),
        ({"sagemaker_program": "other.py"}, "without the prefix 'sagemaker_'"),
        ({f"h{n}": n for n in range(96)}, "96 hyperparameters; SageMaker allows 93"),
        ([("slope", 1.0)], "expected a mapping"),
    ],
)
def test_hyperparameters_that_cannot_be_sent_are_refused(
    workspace: Workspace, runner: ExperimentRunner, hyperparameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        runner.run(hyperparameters)

    assert trials_of(workspace) == []


def test_numpys_numbers_are_hyperparameters(runner: ExperimentRunner) -> None:
    given: dict[str, Any] = {"slope": np.float32(0.5), "steps": np.int64(2), "behaviour": np.str_("train")}
    flag: Any = np.bool_(True)

    trial = runner.run(given)

    assert trial.hyperparameters == {"slope": 0.5, "steps": 2, "behaviour": "train"}
    assert runner.job is not None
    assert runner.job.merged({"flag": flag}) == {"flag": True}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instance_count": 0}, "instance_count=0"),
        ({"max_run_s": 1.5}, "max_run_s=1.5"),
        ({"inputs": {"training": "/no/data"}}, "is not a file or folder"),
        ({"inputs": {"training": "s3:///key"}}, "expected an S3 location"),
        ({"inputs": {"my data": "s3://b/k"}}, "channel name 'my data'"),
        ({"metrics": [1]}, "1 is neither a name"),
        ({"metrics": "score"}, r"such as \['score'\]"),
        ({"metrics": {f"m{n}": "(x)" for n in range(41)}}, "41 metrics; SageMaker allows 40"),
        ({"source_dir": "/nowhere"}, "is not a folder"),
    ],
)
def test_a_wrong_job_is_refused(toy_job: Callable[..., JobSpec], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        toy_job(**changes)


def test_a_long_regex_is_refused() -> None:
    with pytest.raises(ConfigError, match="504 characters; SageMaker allows 500"):
        MetricDefinition("loss", "x" * 501 + "(.)")


def test_what_only_the_sdk_refuses_is_a_clear_error_and_leaves_no_trial(
    workspace: Workspace, toy_job: Callable[..., JobSpec]
) -> None:
    runner = ExperimentRunner(workspace, "versions", job=toy_job(framework_version="99.0"))

    with pytest.raises(ConfigError, match=r"Unsupported pytorch version: 99\.0"):
        runner.run()

    assert trials_of(workspace) == []


def test_a_script_that_has_gone_is_a_clear_error_and_leaves_no_trial(workspace: Workspace, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.touch()
    runner = ExperimentRunner(workspace, "gone", job=JobSpec(entry_point=script))
    script.unlink()

    with pytest.raises(ConfigError, match=r"train\.py"):
        runner.run()

    assert trials_of(workspace) == []


@pytest.mark.parametrize("name", ["", None, "größe", "-a", "a-", "a b", "a\n", 3])
def test_a_name_that_sagemaker_refuses_is_refused(workspace: Workspace, name: Any) -> None:
    with pytest.raises(ConfigError, match=r"such as '"):
        ExperimentRunner(workspace, name)

    assert workspace.client("sagemaker").list_experiments()["ExperimentSummaries"] == []


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ([1, 2], "expected a mapping"),
        (None, "expected a mapping"),
        ({"lr": {"min": 0.1, "max": 1}}, "expected a list"),
        ({"lr": 0.1}, "expected a list"),
        ({"lr": [{0.1}]}, r"expected a finite number"),
    ],
)
def test_a_space_that_is_no_grid_is_refused(runner: ExperimentRunner, space: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        HyperparameterSweep(runner, space)


@pytest.mark.parametrize("max_parallel", [0, -1, 1.5, "2", None, True])
def test_max_parallel_is_a_whole_number_from_1(runner: ExperimentRunner, max_parallel: Any) -> None:
    with pytest.raises(ConfigError, match="max_parallel="):
        HyperparameterSweep(runner, {"slope": [1.0]}, max_parallel=max_parallel)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"description": "x" * 3073}, "3073 characters; SageMaker allows at most 3072"),
        ({"tags": {f"t{n}": "" for n in range(47)}}, "47 tags; expected at most 46"),
        ({"tags": {"aws:team": "cv"}}, "tag key 'aws:team' is not allowed"),
        ({"tags": {"team": 1}}, "value 1 of tag 'team'"),
        ({"tags": {"team": "x" * 257}}, "at most 256"),
        ({"tags": ["team"]}, "expected a mapping"),
        ({"description": 5}, "expected a string"),
        ({"job": "train.py"}, "expected a job"),
    ],
)
def test_a_description_tags_and_a_job_that_are_wrong_are_refused(
    workspace: Workspace, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        ExperimentRunner(workspace, "tagged", **arguments)

    assert workspace.client("sagemaker").list_experiments()["ExperimentSummaries"] == []


READS: dict[str, Callable[[Workspace, Any], object]] = {
    "leaderboard": Leaderboard.load,
    "leaderboard of several": lambda workspace, name: Leaderboard.load(workspace, [name]),
    "trials": lambda workspace, name: workspace.trials([name]),
    "components": lambda workspace, name: workspace.components([name]),
    "experiments": lambda workspace, name: workspace.experiments(name_contains=name or ""),
    "tags": lambda workspace, name: workspace.experiments(tags={name: "cv"}),
    "trial": lambda workspace, name: workspace.trial(name),
    "compare": lambda workspace, name: workspace.compare(name, "other"),
    "submitted": lambda workspace, name: workspace.submitted(name),
    "lineage": lambda workspace, name: LineageTracer(workspace).trace(name),
    "endpoint": lambda workspace, name: workspace.endpoint(name),
    "cleanup": lambda workspace, name: workspace.cleanup_plan(name),
    "objective": lambda workspace, name: Objective(name),
}


@pytest.mark.parametrize("name", ["", None, 3])
@pytest.mark.parametrize("read", READS)
def test_what_cannot_be_a_name_is_refused_before_anything_is_asked(
    workspace: Workspace, sent: Sent, read: str, name: Any
) -> None:
    with pytest.raises(ConfigError, match=r"is not the name|is not a trial|is not a string|expected|characters"):
        READS[read](workspace, name)

    assert sent == []


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda workspace: workspace.trials(3), "experiment=3; expected the name of an experiment, or a list"),
        (lambda workspace: workspace.trials([]), r"experiment=\[\]; expected the name of an experiment"),
        (lambda workspace: workspace.components({"a": 1}), "or a list of names"),
        (lambda workspace: workspace.trials(where=3), "3 is not a filter"),
        (lambda workspace: workspace.trials(where=None), "None is not a filter"),
        (lambda workspace: workspace.experiments(tags=["team"]), r"tags=\['team'\]; expected a mapping"),
        (lambda workspace: workspace.experiments(created_after="2026"), "created_after='2026'; expected a time"),
        (
            lambda workspace: workspace.experiments(created_before=datetime(2026, 1, 1)),
            r"created_before=.* has no time zone\. Write datetime\(",
        ),
    ],
)
def test_what_cannot_be_looked_for_says_what_can(workspace: Workspace, read: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(workspace)


def test_a_trial_after_cleanup_says_that_the_experiment_is_gone(runner: ExperimentRunner) -> None:
    runner.cleanup()

    with pytest.raises(NotFoundError, match="No experiment named 'lines'"):
        runner.run()


def test_no_credentials_are_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    workspace = Workspace.aws(region="us-east-1")

    for look in (lambda: ExperimentRunner(workspace, "nobody"), lambda: workspace.bucket, lambda: workspace.role):
        with pytest.raises(
            AccessDeniedError,
            match=r"^No AWS credentials found\. Pass profile=, set AWS_PROFILE, or run: aws configure",
        ):
            look()


def test_an_objective_of_another_type_is_refused(runner: ExperimentRunner, workspace: Workspace) -> None:
    wrong: Any = 3
    with pytest.raises(ConfigError, match="objective=3; expected the name of a metric"):
        JobSpec(entry_point=__file__, objective=wrong)
    with pytest.raises(ConfigError, match="objective=3"):
        Leaderboard.load(workspace, runner.name, objective=wrong)


def test_times_to_wait_that_are_none_are_refused(workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match="timeout_s=-1; expected seconds >= 0, or None"):
        BestModelDeployer(workspace).deploy("any", timeout_s=-1)


def test_a_wrong_serializer_is_told_before_an_endpoint_is_looked_for(workspace: Workspace) -> None:
    wrong: Any = "xml"
    with pytest.raises(ConfigError, match="serializer='xml'; expected one of"):
        workspace.endpoint("any", serializer=wrong)
