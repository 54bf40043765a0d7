"""From a trained model back to its data, and forward to an endpoint."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mnist_tracking import (
    BestModelDeployer,
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobFailedError,
    LineageTracer,
    NotFoundError,
    StateError,
    Workspace,
)
from mnist_tracking.mnist.endpoint import check_digits


@pytest.fixture
def prepared(runner: ExperimentRunner, tmp_path: Path) -> ExperimentRunner:
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    runner.upload_dataset(data, fingerprint="abc", parameters={"rows": 1})
    return runner


def test_the_whole_workflow_leaves_nothing_behind(prepared: ExperimentRunner, workspace: Workspace) -> None:
    board = HyperparameterSweep(prepared, {"slope": [1.0, 8.0]}, max_parallel=2).run()
    with BestModelDeployer(workspace).deploy(board) as endpoint:
        answers = endpoint.predict(np.array([1.0, 2.0]))
        lineage = LineageTracer(workspace).trace(board.best)

    assert list(answers) == [7.0, 14.0]
    kinds = [node.kind for node in lineage.nodes]
    assert kinds == ["data", "preprocessing", "code", "training job", "model", "deployment", "endpoint"]
    assert [c.display_name for c in lineage.components] == ["Preprocessing", "Training", "Deployment"]
    job = next(node for node in lineage.nodes if node.kind == "training job")
    assert {"data", "preprocessing", "code"} == {node.kind for node in lineage.upstream(job.id)}
    assert len(lineage.dataframe()) == 3

    report = prepared.cleanup()

    deleted = [kind for kind, _ in report.deleted]
    assert (deleted.count("trial"), deleted.count("experiment")) == (2, 1)
    assert {kind for kind, *_ in report.kept} == {"training job"}
    client = workspace.client("sagemaker")
    assert client.list_trial_components()["TrialComponentSummaries"] == []
    assert client.list_endpoints()["Endpoints"] == []
    assert client.list_models()["Models"] == []
    assert "Contents" not in workspace.client("s3").list_objects_v2(Bucket=workspace.bucket)


def test_cleanup_leaves_what_others_made(prepared: ExperimentRunner, workspace: Workspace) -> None:
    client = workspace.client("sagemaker")
    client.create_trial(TrialName="theirs", ExperimentName=prepared.name)
    client.create_trial_component(TrialComponentName="their-step")
    client.associate_trial_component(TrialName="theirs", TrialComponentName="their-step")

    report = prepared.cleanup()

    assert {"their-step", "theirs", "lines"} == {name for _, name, _ in report.kept}
    assert client.describe_trial(TrialName="theirs")["TrialName"] == "theirs"


def test_an_unknown_trial_names_those_that_exist(prepared: ExperimentRunner, workspace: Workspace) -> None:
    prepared.run({"steps": 1}, name="steps-1")

    with pytest.raises(NotFoundError, match="Existing: 'steps-1'"):
        LineageTracer(workspace).trace("steps-2")
    with pytest.raises(NotFoundError, match="Existing: 'steps-1'"):
        BestModelDeployer(workspace).deploy("steps-2")


def test_a_failed_trial_cannot_be_deployed(runner: ExperimentRunner, workspace: Workspace) -> None:
    with pytest.raises(JobFailedError):
        runner.run({"behaviour": "exit"}, name="broken")

    with pytest.raises(StateError, match="is Failed; only a trial that has completed"):
        BestModelDeployer(workspace).deploy("broken")
    assert workspace.client("sagemaker").list_endpoints()["Endpoints"] == []


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 28, 28)), np.zeros((2, 28, 27), np.uint8), np.zeros((2, 3, 28, 28), np.uint8), np.zeros(3, np.uint8)],
)
def test_wrong_images_are_refused_before_anything_is_sent(
    images: npt.NDArray[np.uint8],
) -> None:
    with pytest.raises(ConfigError, match="expected uint8 of shape"):
        check_digits(images)
