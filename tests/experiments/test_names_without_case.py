"""Names that differ in case alone are one name, as on AWS: everything follows the name that exists."""

from pathlib import Path

import pytest

from mnist_tracking import AlreadyExistsError, ExperimentRunner, Leaderboard, LineageTracer, Workspace
from mnist_tracking.serving.deployer import BestModelDeployer


@pytest.fixture
def recorded(workspace: Workspace, tmp_path: Path, script: Path) -> Workspace:
    """The experiment ``Churn`` with data and a trial ``Baseline``, each recorded by another spelling."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("1,2\n")
    ExperimentRunner(workspace, "Churn").upload_dataset(tmp_path / "data")
    with ExperimentRunner(workspace, "churn").trial({"C": 1.0}, name="Baseline") as trial:
        trial.log_metric("accuracy", 0.9)
        trial.log_model(script, entry_point=script)
    return workspace


def test_a_runner_has_the_name_of_the_experiment_that_exists(recorded: Workspace) -> None:
    runner = ExperimentRunner(recorded, "CHURN")

    assert runner.name == "Churn"
    assert runner.prefix.endswith("/Churn")
    assert runner.data_uri is not None
    assert runner.data_uri.startswith(f"{runner.prefix}/data/")
    with pytest.raises(AlreadyExistsError):
        ExperimentRunner(recorded, "CHURN", create=True)


def test_the_trials_are_read_by_any_spelling(recorded: Workspace) -> None:
    for objective in ("accuracy", None):
        board = Leaderboard.load(recorded, ["churn", "CHURN"], objective=objective)
        assert ([trial.name for trial in board], board.experiments) == (["Baseline"], ("Churn",))
        assert len(board.dataframe(layout="analytics")) == 1
    assert [trial.experiment for trial in recorded.trials("churn")] == ["Churn"]
    assert len(recorded.components("CHURN")) == 2
    assert recorded.trial("BASELINE").name == "Baseline"
    assert recorded.resolve_trial("baseline", experiment="churn") == "Baseline"
    assert recorded.resolve_trial("base", experiment="churn") == "Baseline"
    assert LineageTracer(recorded).trace("baseline").trial == "Baseline"


def test_steps_and_endpoints_follow_the_trial_that_exists(recorded: Workspace, tmp_path: Path) -> None:
    with ExperimentRunner(recorded, "churn").step("Evaluation", trial="baseline") as step:
        step.log_metric("f1", 0.5)
    with BestModelDeployer(recorded).deploy("BASELINE") as endpoint:
        assert endpoint.trial == "Baseline"

    assert [found.display_name for found in recorded.trial("baseline").steps][:2] == ["Preprocessing", "Training"]
    assert recorded.download("churn", tmp_path / "files").experiment == "Churn"


def test_a_cleanup_by_any_spelling_leaves_nothing(recorded: Workspace) -> None:
    planned = recorded.cleanup_plan("CHURN", trials=["baseline"])
    assert ("trial", "Baseline") in {(item.kind, item.name) for item in planned.to_delete}

    report = recorded.cleanup_plan("churn").execute()

    assert (report.kept, report.failed) == ((), ())
    assert recorded.client("s3").list_objects_v2(Bucket=recorded.bucket).get("Contents", []) == []
    assert len(recorded.experiments()) == 0
    assert recorded.client("sagemaker").list_trial_components()["TrialComponentSummaries"] == []
