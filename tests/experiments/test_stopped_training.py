"""The digits' training as a job that is stopped, and taken up by another from its checkpoints in S3."""

from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.support.digits import write_idx_dataset

from mnist_tracking import ExperimentRunner, Workspace, mnist_job
from mnist_tracking.embedded import EngineTiming
from mnist_tracking.mnist import export_model

torch = pytest.importorskip("torch")

SMALL: dict[str, Any] = {"batch_size": 25, "hidden_channels": 1, "kernel_size": 9, "schedule": "constant"}


def trained_alone(data: Path, folder: Path, *, epochs: int) -> Path:
    from mnist_tracking.training.main import main

    options = [f"--{name}={value}" for name, value in {**SMALL, "epochs": epochs}.items()]
    assert main([f"--data-dir={data}", f"--model-dir={folder}", f"--output-data-dir={folder}", *options]) == 0
    return folder


@pytest.fixture
def engine_settings(timing: EngineTiming) -> dict[str, Any]:
    return {"timing": timing}


@pytest.mark.parametrize(
    "timing", [EngineTiming(), EngineTiming(sigterm=True, stop_grace_s=600.0)], ids=["aws", "term"]
)
def test_a_job_goes_on_from_where_another_was_stopped(
    workspace: Workspace, tmp_path: Path, timing: EngineTiming
) -> None:
    """To the weights of a run that was left alone; its metrics have the accuracies of all epochs."""
    from mnist_tracking.training.artifact import load_artifact

    data = write_idx_dataset(tmp_path / "data")
    checkpoints = {"checkpoint_s3_uri": f"s3://{workspace.bucket}/digits/checkpoints"}
    job = attrs.evolve(mnist_job(**SMALL), estimator=checkpoints)
    runner = ExperimentRunner(workspace, "digits", job=job)
    runner.prepare_dataset(data)
    first = runner.submit({"epochs": 1_000_000})
    next(line for line in first.logs(follow=True) if line.startswith("Train Epoch: 2"))
    first.stop()
    stopped = first.wait()
    epochs = stopped.metrics["validation:accuracy"].count + 1
    trial = runner.run({"epochs": epochs}, resume_from=stopped)
    found = torch.load(export_model(workspace.trial(trial.name), tmp_path / "m.pth", format="state-dict"))
    alone = load_artifact(trained_alone(data, tmp_path / "alone", epochs=epochs))

    assert (stopped.status, trial.status) == ("Stopped", "Completed")
    assert any("Stopped by SIGTERM" in line for line in first.logs()) == timing.sigterm
    assert any(line.startswith("Resuming from a checkpoint") for line in workspace.submitted(trial.name).logs())
    assert all(torch.equal(weight, found["state_dict"][name]) for name, weight in alone.weights.items())
    assert trial.metrics["validation:accuracy"].max == alone.scores["validation:accuracy"]
    assert trial.metrics["validation:accuracy"].count == epochs
