"""A plan by the workspace alone: nothing is made for it, not even a bucket."""

import pytest
from tests.support.sent import record_calls

from mnist_tracking import ExperimentRunner, NotFoundError, Workspace


def test_a_plan_needs_no_bucket_and_makes_none(workspace: Workspace) -> None:
    """Trials that were computed right here leave no objects."""
    ExperimentRunner(workspace, "churn")
    calls = record_calls(workspace)
    plan = workspace.cleanup_plan("churn")

    assert [item.kind for item in plan.to_delete] == ["experiment"]
    assert "CreateBucket" not in {name for name, _ in calls}
    assert plan.execute().deleted == (("experiment", "churn"),)


def test_an_experiment_that_is_not_there_is_not_made(workspace: Workspace) -> None:
    ExperimentRunner(workspace, "churn")
    with pytest.raises(NotFoundError, match=r"No experiment named 'chrun'.*'churn'"):
        workspace.cleanup_plan("chrun")

    assert [found.name for found in workspace.experiments()] == ["churn"]


def test_a_runner_knows_what_its_plan_deleted(workspace: Workspace) -> None:
    """Else the next trial would be given a step that is gone."""
    runner = ExperimentRunner(workspace, "churn")
    with runner.step("Cleaning"):
        pass
    runner.cleanup_plan().execute()
    again = ExperimentRunner(workspace, "churn")
    with again.trial(name="later"):
        pass

    assert [step.display_name for step in workspace.trial("later").steps] == ["Training"]
