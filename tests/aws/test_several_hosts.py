"""A job of several hosts trains one model, and is one trial like any other."""

from pathlib import Path

import pytest
from tests.support.digits import write_idx_dataset

from mnist_tracking import ExperimentRunner, Workspace, mnist_job

pytest.importorskip("torch")


def test_two_hosts_train_one_model(tmp_path: Path) -> None:
    """Each line is logged once, and each metric counted once."""
    job = mnist_job(epochs=1, hidden_channels=2, backend="gloo", instance_count=2)
    with Workspace.embedded(tmp_path / "home") as workspace:
        runner = ExperimentRunner(workspace, "hosts", job=job)
        runner.upload_dataset(write_idx_dataset(tmp_path / "data"))
        together = runner.run()
        lines = list(workspace.submitted(together.name).logs())
        request = workspace.client("sagemaker").describe_training_job(TrainingJobName=together.job_name or "")

        assert request["ResourceConfig"]["InstanceCount"] == 2
        assert {metric.count for metric in together.metrics.values()} == {1}
        assert sum("Test Accuracy: " in line for line in lines) == 1
        assert not [line for line in lines if "arning" in line]
        assert together.model_uri is not None
