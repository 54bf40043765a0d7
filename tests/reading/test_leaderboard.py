"""The order of a leaderboard, and its frames, whatever the trials look like and whoever made them."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.sent import record_calls

from mnist_tracking import (
    ConfigError,
    ExperimentRunner,
    JobFailedError,
    JobSpec,
    Leaderboard,
    NotFoundError,
    Objective,
    StateError,
    Workspace,
    where,
)
from mnist_tracking._aws.sdk import quiet
from mnist_tracking.embedded import EmbeddedSageMaker, Lag


@pytest.fixture
def client(workspace: Workspace) -> Any:
    return workspace.client("sagemaker")


def add_training(client: Any, experiment: str, trial: str, component: str, **parameters: float) -> None:
    """A trial as another tool would make it: no job, no metrics, no tags."""
    client.create_trial(TrialName=trial, ExperimentName=experiment)
    values = {name: {"NumberValue": value} for name, value in parameters.items()}
    client.create_trial_component(TrialComponentName=component, DisplayName="Training", Parameters=values)
    client.associate_trial_component(TrialName=trial, TrialComponentName=component)


def test_a_value_that_is_nan_comes_last(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    runner = ExperimentRunner(workspace, "nan", job=toy_job())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*3 of 3 values of the metric '(score|error)' were dropped", UserWarning)
        names = [runner.run({"slope": slope}).name for slope in ("nan", 1.0, "nan", 2.0)]

    for goal, best in (("maximize", [3, 1, 0, 2]), ("minimize", [1, 3, 0, 2])):
        board = Leaderboard.load(workspace, "nan", objective=Objective("score", goal=goal))  # type: ignore[arg-type]
        assert [trial.name for trial in board] == [names[index] for index in best]
    assert board.best.name == names[1]


def test_the_layout_of_analytics_is_exact_for_ties_failures_and_trials_without_metrics(
    runner: ExperimentRunner, client: Any
) -> None:
    for _ in range(2):
        runner.run({"steps": 1})
    runner.run({"behaviour": "silent"})
    with pytest.raises(JobFailedError):
        runner.run({"behaviour": "exit"})
    add_training(client, runner.name, "theirs", "their-training", slope=1.5)
    filters = [{"Name": "DisplayName", "Operator": "Equals", "Value": "Training"}]
    with quiet():
        from sagemaker.analytics import ExperimentAnalytics

        expected = ExperimentAnalytics(
            sagemaker_session=runner.workspace.sagemaker_session,
            experiment_name=runner.name,
            search_expression={"Filters": filters},
            sort_by="metrics.score.max",
            sort_order="Ascending",
        ).dataframe()

    objective = Objective("score", goal="minimize", statistic="max")
    board = Leaderboard.load(runner.workspace, runner.name, objective=objective)
    pd.testing.assert_frame_equal(expected, board.dataframe(layout="analytics"))
    assert len(expected) == len(board) == 5


def test_a_metric_that_no_trial_has_is_told_with_those_there_are(runner: ExperimentRunner) -> None:
    runner.run({"steps": 1})
    board = Leaderboard.load(runner.workspace, runner.name, objective="scroe")

    with pytest.raises(StateError, match=r"no completed trial with 'scroe'; .* available metrics: 'error', 'score'"):
        _ = board.best


def test_an_objective_that_ranks_nothing_is_told_wherever_the_leaderboard_is_shown(
    runner: ExperimentRunner, client: Any
) -> None:
    add_training(client, runner.name, "bare", "plain")
    said = "No trial has the metric '<acc>'"
    board = Leaderboard.load(runner.workspace, runner.name, objective="<acc>")
    assert repr(board) == f"<Leaderboard of 'lines': 1 trial by <acc>. {said}. No trial has metrics yet.>"

    with runner.trial(name="measured") as trial:
        trial.log_metric("score", 0.5)
    board = Leaderboard.load(runner.workspace, runner.name, objective="<acc>")
    assert str(board).splitlines()[0] == f"{said}. Available: 'score'."
    assert "<p>No trial has the metric &#x27;&lt;acc&gt;&#x27;. Available" in board._repr_html_()
    for fine in (Leaderboard.load(runner.workspace, runner.name, objective=name) for name in ("score", None)):
        assert not any("No trial" in shown for shown in (repr(fine), str(fine), fine._repr_html_()))


def test_an_empty_leaderboard_is_an_empty_table(runner: ExperimentRunner) -> None:
    board = Leaderboard.load(runner.workspace, runner.name, objective="score")

    assert list(board.dataframe().columns) == [
        "trial",
        "experiment",
        "status",
        "duration_s",
        "objective",
        "objective_note",
        "tied",
        "failure_reason",
        "stop_reason",
        "instance_type",
        "instance_count",
        "billable_s",
        "cost_usd",
    ]
    assert "<table" in board._repr_html_()
    assert str(board) == "<Leaderboard of 'lines': 0 trials by score>"
    assert {"TrialComponentName", "Trials"} <= set(board.dataframe(layout="analytics").columns)


def test_several_trainings_in_one_trial_are_several_rows(runner: ExperimentRunner, client: Any) -> None:
    add_training(client, runner.name, "twice", "first", slope=1)
    client.create_trial_component(TrialComponentName="second", DisplayName="Training")
    client.associate_trial_component(TrialName="twice", TrialComponentName="second")

    board = Leaderboard.load(runner.workspace, runner.name)

    assert [(t.name, t.component_name) for t in board] == [("twice", "first"), ("twice", "second")]


def test_a_training_of_two_experiments_is_one_row_in_each(runner: ExperimentRunner, client: Any) -> None:
    add_training(client, runner.name, "here", "shared")
    client.create_experiment(ExperimentName="elsewhere")
    client.create_trial(TrialName="there", ExperimentName="elsewhere")
    client.associate_trial_component(TrialName="there", TrialComponentName="shared")

    boards = [Leaderboard.load(runner.workspace, name) for name in (runner.name, "elsewhere")]

    rows = [[(trial.name, trial.experiment) for trial in board] for board in boards]
    assert rows == [[("here", "lines")], [("there", "elsewhere")]]


def test_html_is_escaped(runner: ExperimentRunner, client: Any) -> None:
    add_training(client, runner.name, "one", "plain")
    add_training(client, runner.name, "two", "html")
    text = {"note": {"StringValue": "<script>alert(1)</script>"}}
    client.update_trial_component(TrialComponentName="html", Parameters=text)

    page = Leaderboard.load(runner.workspace, runner.name)._repr_html_()

    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_an_unknown_layout_names_those_that_exist(workspace: Workspace) -> None:
    ExperimentRunner(workspace, "churn")  # without a job, and so without an objective
    board = Leaderboard.load(workspace, "churn")

    with pytest.raises(ConfigError, match="expected 'tidy' or 'analytics'"):
        board.dataframe(layout="wide")  # type: ignore[call-overload, arg-type, unused-ignore]
    with pytest.raises(ConfigError, match="objective='metric name'"):
        _ = board.best


def test_trials_of_several_experiments_are_ranked_together(workspace: Workspace) -> None:
    for experiment, name, score in (("one", "low", 0.1), ("two", "high", 0.9), ("one", "middle", 0.5)):
        with ExperimentRunner(workspace, experiment).trial({"made": score}, name=name) as trial:
            trial.log_metric("score", score)

    board = Leaderboard.load(workspace, ["one", "two"], objective="score")
    good = Leaderboard.load(workspace, ["one", "two"], objective="score", where=where.metric("score") > 0.3)

    assert [(trial.name, trial.experiment) for trial in board] == [
        ("high", "two"),
        ("middle", "one"),
        ("low", "one"),
    ]
    assert [trial.name for trial in good] == ["high", "middle"]
    assert "experiment" in str(board).splitlines()[0].split()
    assert len(board.dataframe(layout="analytics")) == 3
    assert repr(board).startswith("<Leaderboard of 'one, two': 3 trials")


def test_the_layout_of_analytics_drops_no_row(workspace: Workspace, client: Any) -> None:
    """Whatever its step is called, and whoever else has it."""
    runner = ExperimentRunner(workspace, "rows")
    ExperimentRunner(workspace, "other")
    with runner.trial({"C": 1.0}, name="mine"):
        pass
    client.create_trial(TrialName="theirs", ExperimentName="other")
    client.associate_trial_component(TrialName="theirs", TrialComponentName=workspace.trial("mine").component_name)
    run_tag = {"Key": "sagemaker:trial-component-source", "Value": "run"}
    client.create_trial_component(TrialComponentName="run", DisplayName="my-run", Tags=[run_tag])
    client.create_trial(TrialName="of-run", ExperimentName="rows")
    client.associate_trial_component(TrialName="of-run", TrialComponentName="run")
    board = Leaderboard.load(workspace, "rows")
    assert [trial.name for trial in board] == ["mine", "of-run"]

    frame = board.dataframe(layout="analytics")
    assert frame["Trials"].tolist() == [["mine", "theirs"], ["of-run"]]
    assert frame["Experiments"].tolist() == [["rows", "other"], ["rows"]]
    few = Leaderboard.load(workspace, "rows", where=where.param("C") == 1).dataframe(layout="analytics")
    assert few["Trials"].tolist() == [["mine", "theirs"]]


def test_the_layout_of_analytics_has_what_search_does_not_show_yet(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path / "late", lag=Lag(search_s=60.0))
    workspace = Workspace.embedded(engine=engine)
    with ExperimentRunner(workspace, "rows").trial({"C": 1.0}, name="mine"):
        pass
    frame = Leaderboard.load(workspace, "rows").dataframe(layout="analytics")
    engine.close()

    assert (frame["Trials"].tolist(), frame["C"].tolist()) == ([["mine"]], [1.0])


def test_a_leaderboard_takes_a_call_per_hundred_trials_and_one_more(workspace: Workspace) -> None:
    sent = record_calls(workspace)
    runner = ExperimentRunner(workspace, "calls")
    for number in range(3):
        with runner.trial(name=f"t{number}") as trial:
            trial.log_metric("score", number)
    sent.clear()

    board = Leaderboard.load(workspace, "calls", objective="score")
    assert (len(board), [operation for operation, _ in sent]) == (3, ["Search", "ListTrials"])
    assert [request["MaxResults"] for _, request in sent] == [100, 100]
    sent.clear()
    Leaderboard.load(workspace, "calls")
    assert [operation for operation, _ in sent] == ["DescribeExperiment", "ListTags", "Search", "ListTrials"]


def test_experiments_are_found_in_any_case(workspace: Workspace) -> None:
    for experiment in ("One", "Two", "Empty"):
        runner = ExperimentRunner(workspace, experiment)
        if experiment != "Empty":
            with runner.trial(name=f"in-{experiment}") as trial:
                trial.log_metric("score", 0.5)

    for asked in (["One", "TWO", "empty"], ["ONE", "Two", "EMPTY"], ["one", "two", "empty"]):
        board = Leaderboard.load(workspace, asked, objective="score")
        assert board.experiments == ("One", "Two", "Empty")
        assert [trial.name for trial in board] == ["in-One", "in-Two"]
    with pytest.raises(NotFoundError, match="No experiment named 'three'"):
        Leaderboard.load(workspace, ["One", "three"], objective="score")
