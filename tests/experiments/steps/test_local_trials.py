"""Trials that are computed right here, and trials as they are named to others."""

from typing import Any

import pytest

from mnist_tracking import (
    AlreadyExistsError,
    BestModelDeployer,
    ConfigError,
    ExperimentRunner,
    Leaderboard,
    LineageTracer,
    NotFoundError,
    Workspace,
)


@pytest.mark.parametrize("value", [float("nan"), [1, object()], "x" * 2501, object()])
def test_a_parameter_that_cannot_be_recorded_is_refused_before_a_trial_is_made(
    recording: ExperimentRunner, workspace: Workspace, value: Any
) -> None:
    with (
        pytest.raises(ConfigError, match=r"The hyperparameter 'C' (is|has)"),
        recording.trial({"C": value}, name="never"),
    ):
        pass

    with pytest.raises(NotFoundError):
        workspace.trial("never")


def test_a_local_trial_is_on_the_leaderboard(recording: ExperimentRunner, workspace: Workspace) -> None:
    for strength, accuracy in ((0.1, 0.8), (1.0, 0.9)):
        with recording.trial({"C": strength}) as trial:
            trial.log_metric("validation:accuracy", accuracy)
    with pytest.raises(ZeroDivisionError), recording.trial({"C": 0.0}, name="broken"):
        raise ZeroDivisionError("no strength")

    board = Leaderboard.load(workspace, "churn", objective="validation:accuracy")
    assert [(row.hyperparameters["C"], row.status) for row in board] == [
        (1, "Completed"),
        (0.1, "Completed"),
        (0, "Failed"),
    ]
    assert board[2].failure_reason == "no strength"
    with pytest.raises(AlreadyExistsError), recording.trial(name="broken"):
        pass


def test_a_trial_is_taken_in_any_form(recording: ExperimentRunner, workspace: Workspace) -> None:
    with recording.trial(name="one") as local:
        pass
    forms: list[Any] = [local, workspace.trial("one"), workspace.trial("one"), "one"]
    for form in forms:
        with recording.step("Evaluation", trial=form):
            pass
        assert LineageTracer(workspace).trace(form).trial == "one"
        assert [item.name for item in recording.cleanup_plan(trials=[form]).to_delete if item.kind == "trial"] == [
            "one"
        ]
    with recording.trial(name="two"):
        pass

    assert workspace.compare(local, "two").trials == ("one", "two")
    assert [step.display_name for step in workspace.trial("one").steps].count("Evaluation") == len(forms)


@pytest.mark.parametrize("wrong", [3, ["one"], 0.5])
def test_what_is_no_trial_is_refused(recording: ExperimentRunner, workspace: Workspace, wrong: Any) -> None:
    for use in (workspace.compare, LineageTracer(workspace).trace, BestModelDeployer(workspace).deploy):
        with pytest.raises(ConfigError, match="is not a trial"):
            use(wrong)
    with pytest.raises(ConfigError, match="is not a trial"), recording.step("Evaluation", trial=wrong):
        pass
    with pytest.raises(ConfigError, match="is not a trial"):
        recording.cleanup_plan(trials=[wrong])
