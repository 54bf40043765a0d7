"""The trial that somebody means: a name, a part of one, the best, the latest."""

import pytest

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, Leaderboard, NotFoundError, Objective, Workspace
from mnist_tracking._aws.experiments import stored_objective


@pytest.fixture
def trees(workspace: Workspace) -> ExperimentRunner:
    job = JobSpec(__file__, metrics={"loss": "loss=(.*)"}, objective=Objective("loss", goal="minimize"))
    runner = ExperimentRunner(workspace, "trees", job=job)
    for name, loss in (("oak-1", 0.3), ("oak-12", 0.1), ("elm-7", 0.2)):
        with runner.trial(name=name) as trial:
            trial.log_metric("loss", loss)
            trial.log_metric("size", 1 - loss)
    return runner


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("oak-1", "oak-1"),
        ("oak-12", "oak-12"),
        ("e", "elm-7"),
        ("-7", "elm-7"),
        ("latest", "elm-7"),
        ("best", "oak-12"),
    ],
)
def test_a_trial_is_found_by(trees: ExperimentRunner, workspace: Workspace, text: str, name: str) -> None:
    assert name == workspace.resolve_trial(text)
    assert name == workspace.resolve_trial(text, experiment="trees")


def test_several_candidates_are_listed(trees: ExperimentRunner, workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match=r"'oak' matches 2 trials: 'oak-12', 'oak-1'\. Give more of the name"):
        workspace.resolve_trial("oak")


def test_a_name_that_nothing_has_lists_the_nearest(trees: ExperimentRunner, workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="'elm-7'"):
        workspace.resolve_trial("elm-8")


def test_only_one_experiment_is_looked_in(trees: ExperimentRunner, workspace: Workspace) -> None:
    with ExperimentRunner(workspace, "shrubs").trial(name="box"):
        pass

    assert workspace.resolve_trial("latest") == "box"
    assert workspace.resolve_trial("latest", experiment="trees") == "elm-7"
    with pytest.raises(NotFoundError, match="No trial named 'box'"):
        workspace.resolve_trial("box", experiment="trees")
    with pytest.raises(ConfigError, match=r"of which experiment.*'shrubs', 'trees'"):
        workspace.resolve_trial("best")
    with pytest.raises(ConfigError, match=r"'shrubs' has no objective; .* No trial has metrics yet"):
        workspace.resolve_trial("best", experiment="shrubs")


def test_an_objective_may_be_given_and_must_be_a_metric(trees: ExperimentRunner, workspace: Workspace) -> None:
    assert workspace.resolve_trial("best", objective=Objective("loss")) == "oak-1"
    with pytest.raises(ConfigError, match=r"No trial has the metric 'los'\. Available: 'loss', 'size'"):
        workspace.resolve_trial("best", objective="los")


def test_the_objective_of_the_job_is_stored(trees: ExperimentRunner, workspace: Workspace) -> None:
    board = Leaderboard.load(workspace, "trees")

    assert board.objective == Objective("loss", goal="minimize")
    assert [trial.name for trial in board] == ["oak-12", "elm-7", "oak-1"]
    assert Leaderboard.load(workspace, "trees", objective="size").best.name == "oak-12"


def test_a_later_objective_replaces_an_earlier_one(trees: ExperimentRunner, workspace: Workspace) -> None:
    job = JobSpec(__file__, metrics=["size"], objective="size")
    with ExperimentRunner(workspace, "trees", job=job).trial(name="ash"):
        pass

    assert stored_objective(workspace, "trees") == Objective("size")


def test_experiments_that_disagree_are_in_order_of_creation(trees: ExperimentRunner, workspace: Workspace) -> None:
    with ExperimentRunner(workspace, "shrubs").trial(name="box"):
        pass

    board = Leaderboard.load(workspace, ["trees", "shrubs"])

    assert board.objective is None
    assert [trial.name for trial in board] == ["oak-1", "oak-12", "elm-7", "box"]


def test_a_metric_that_a_tag_cannot_hold_is_not_stored(workspace: Workspace) -> None:
    job = JobSpec(__file__, metrics=["loss#1"], objective="loss#1")
    with ExperimentRunner(workspace, "trees", job=job).trial(name="ash"):
        pass

    assert stored_objective(workspace, "trees") is None
