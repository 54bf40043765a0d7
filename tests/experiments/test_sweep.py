"""Sweeps and leaderboards."""

import itertools
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest

from mnist_tracking import (
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    NotFoundError,
    Objective,
    ServiceError,
    StateError,
    Workspace,
)
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.settings import Settings
from mnist_tracking.embedded import EmbeddedSageMaker


def test_a_sweep_trains_every_point_and_ranks_them(runner: ExperimentRunner) -> None:
    board = HyperparameterSweep(runner, {"slope": [1.0, 3.0, 2.0]}, max_parallel=2).run()

    assert [trial.hyperparameters["slope"] for trial in board] == [3, 2, 1]
    assert board.best.hyperparameters["slope"] == 3
    frame = board.dataframe()
    assert list(frame["param.slope"]) == [3, 2, 1]
    assert {"trial", "status", "duration_s", "metric.score.max", "failure_reason"} <= set(frame.columns)


def test_failed_trials_are_kept_with_their_reason(runner: ExperimentRunner) -> None:
    board = HyperparameterSweep(runner, {"behaviour": ["train", "raise"]}).run()

    assert [trial.status for trial in board] == ["Completed", "Failed"]
    assert "upside down" in board[1].failure_reason


def test_ties_go_to_the_trial_that_was_created_first(runner: ExperimentRunner) -> None:
    names = [runner.run({"steps": 1}, name=f"tie-{n}").name for n in range(3)]

    board = Leaderboard.load(runner.workspace, runner.name, objective="score")
    assert names == [trial.name for trial in board]


def test_a_full_quota_is_waited_out(limited_workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    runner = ExperimentRunner(limited_workspace, "limited", job=toy_job())

    board = HyperparameterSweep(runner, {"slope": [1.0, 2.0, 3.0]}, max_parallel=3).run()

    assert len(board) == 3
    trials = limited_workspace.client("sagemaker").list_trials(ExperimentName="limited")["TrialSummaries"]
    assert len(trials) == 3


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "space is empty"),
        ({"slope": []}, "The values of 'slope' are not allowed. There are no values"),
        ({"slope": [1, 1]}, "twice"),
        ({"slope": "12"}, "expected a list"),
        ({"slope": [object()]}, "expected a finite number"),
    ],
)
def test_a_bad_grid_is_refused(runner: ExperimentRunner, space: dict[str, list[float]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        HyperparameterSweep(runner, space)


def test_a_grid_is_counted_before_it_is_built(runner: ExperimentRunner) -> None:
    """It would need 2 GB for its points alone; an endless iterator has no end to count."""
    switches = {f"switch{number}": [0, 1] for number in range(24)}
    runner.workspace.settings = Settings(trial_quota=300)

    with pytest.raises(ConfigError, match="has 16,777,216 trials; an experiment can have 300"):
        HyperparameterSweep(runner, switches)
    with pytest.raises(ConfigError, match=r"'steps' are not allowed\. There are more than 10,000 values"):
        HyperparameterSweep(runner, {"steps": itertools.count(1)})
    assert len(HyperparameterSweep(runner, {"steps": range(300)})) == 300


def test_a_point_that_the_job_rejects_is_named(runner: ExperimentRunner, toy_job: Callable[..., JobSpec]) -> None:
    def check(values: Mapping[str, object]) -> None:
        if values["slope"] == 2 and values["steps"] == 3:
            raise ConfigError("steps=3 is too many for slope=2.")

    runner.job = toy_job(check=check)
    with pytest.raises(ConfigError, match=r"The point slope=2, steps=3 is not allowed: steps=3 is too many"):
        HyperparameterSweep(runner, {"slope": [1, 2], "steps": [1, 3]})


def test_an_objective_that_the_job_does_not_yield_is_rejected(
    toy_job: Callable[..., JobSpec], runner: ExperimentRunner
) -> None:
    """aws/amazon-sagemaker-examples#1207: all trials were trained, and none could be ranked."""
    with pytest.raises(
        ConfigError, match=r"'scor', which is not .*; available: 'score', 'error'\. Did you mean 'score'"
    ):
        toy_job(objective="scor")
    with pytest.raises(ConfigError, match=r"it has none\. Add 'f1' to metrics="):
        toy_job(objective="f1", metrics=())
    with pytest.raises(ConfigError, match=r"'eror', which is not .*\. Did you mean 'error'"):
        HyperparameterSweep(runner, {"slope": [1]}, objective="eror")

    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"
    assert toy_job(objective="f1", metrics=(), image_uri=image).objective == Objective("f1")


def test_best_without_a_completed_trial_says_what_became_of_them(runner: ExperimentRunner) -> None:
    board = HyperparameterSweep(runner, {"behaviour": ["exit"]}).run()

    with pytest.raises(StateError, match="is Failed"):
        _ = board.best


def test_an_unknown_experiment_names_those_that_exist(runner: ExperimentRunner) -> None:
    with pytest.raises(NotFoundError, match="Existing: 'lines'"):
        Leaderboard.load(runner.workspace, "lnes")


def test_the_analytics_layout_is_exactly_experiment_analytics(runner: ExperimentRunner) -> None:
    board = HyperparameterSweep(runner, {"slope": [1.0, 2.0]}).run()

    with quiet():
        from sagemaker.analytics import ExperimentAnalytics

        expected = ExperimentAnalytics(
            sagemaker_session=runner.workspace.sagemaker_session,
            experiment_name=runner.name,
            search_expression={"Filters": [{"Name": "DisplayName", "Operator": "Equals", "Value": "Training"}]},
            sort_by="metrics.score.last",
            sort_order="Descending",
        ).dataframe()
    pd.testing.assert_frame_equal(expected, board.dataframe(layout="analytics"))
    assert list(expected["slope"]) == [2.0, 1.0]


@pytest.mark.parametrize("field", ["goal", "statistic"])
def test_an_objective_names_what_is_possible(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field}='best'; expected one of"):
        Objective("score", **{field: "best"})  # type: ignore[arg-type]


def test_a_sweep_that_its_experiment_has_no_room_for_starts_nothing(
    tmp_path: Path, toy_job: Callable[..., JobSpec]
) -> None:
    """The quota is said before the first trial, not at the last."""
    with Workspace.embedded(tmp_path / "home", trial_quota=3) as workspace:
        runner = ExperimentRunner(workspace, "lines", job=toy_job())
        with runner.trial(name="there-already"):
            pass

        with pytest.raises(ConfigError, match=r"3 trials to train, and the experiment 'lines' has 1 trial; .* have 3"):
            HyperparameterSweep(runner, {"steps": [1, 2, 3]}).run()

        assert [trial.name for trial in workspace.trials("lines")] == ["there-already"]
        for _ in range(2):
            with runner.trial():
                pass
        with pytest.raises(ServiceError, match="is 3 Trials"), runner.trial():
            pass


def test_a_sweep_whose_trials_would_have_too_many_components_starts_nothing(
    tmp_path: Path, toy_job: Callable[..., JobSpec]
) -> None:
    """Training is one of them; the steps that all trials share are the others."""
    with Workspace.embedded(tmp_path / "home", component_quota=2) as workspace:
        runner = ExperimentRunner(workspace, "lines", job=toy_job())
        for name in ("Download", "Preprocessing"):
            with runner.step(name):
                pass

        with pytest.raises(ConfigError, match=r"have 3 components, its training and the shared steps of 'lines'; .* 2"):
            HyperparameterSweep(runner, {"steps": [1]}).run()

        assert list(workspace.trials("lines")) == []


def test_an_embedded_experiment_holds_any_number_of_trials(engine: EmbeddedSageMaker, tmp_path: Path) -> None:
    """A 301st trial could not be recorded. On AWS, the quotas are 300 trials and 50 components unless raised."""
    client = engine.session().client("sagemaker")
    client.create_experiment(ExperimentName="many")
    for number in range(301):
        client.create_trial(TrialName=f"many-{number}", ExperimentName="many")

    assert (Workspace.embedded(engine=engine).settings.trial_quota) is None
    aws = Workspace.aws(boto_session=engine.session()).settings
    assert (aws.trial_quota, aws.component_quota) == (300, 50)
    with Workspace.embedded(tmp_path / "home", trial_quota=5) as limited:
        assert pickle.loads(pickle.dumps(limited)).settings.trial_quota == 5
    with pytest.raises(ConfigError, match="trial_quota=0; expected an integer >= 1"):
        Workspace.embedded(tmp_path / "home", trial_quota=0)
