"""How many jobs may run at once, by instance type."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking.embedded.engine import EmbeddedSageMaker


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[TrainingAccount]:
    """An account that can run one job at a time on ml.m5.xlarge."""
    engine = EmbeddedSageMaker(tmp_path / "limited", quotas={"ml.m5.xlarge": 1})
    account = TrainingAccount(engine)
    yield account
    account.end_all()
    engine.close()


def test_job_over_the_quota_is_rejected_and_changes_nothing(limited: TrainingAccount) -> None:
    limited.submit(WAITS, "first")

    with pytest.raises(
        limited.sagemaker.exceptions.ResourceLimitExceeded, match="is 1 Instances, with current utilization of 1"
    ):
        limited.submit(WAITS, "second")
    names = [job["TrainingJobName"] for job in limited.sagemaker.list_training_jobs()["TrainingJobSummaries"]]
    assert names == ["first"]
    assert not limited.folder("second").exists()


def test_other_instance_types_are_not_counted(limited: TrainingAccount) -> None:
    limited.submit(WAITS, "first")
    limited.submit(WAITS, "second", ResourceConfig={"InstanceType": "ml.c5.xlarge", "VolumeSizeInGB": 1})

    names = {job["TrainingJobName"] for job in limited.sagemaker.list_training_jobs()["TrainingJobSummaries"]}
    assert names == {"first", "second"}


def test_each_host_is_counted(limited: TrainingAccount) -> None:
    two = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}
    with pytest.raises(limited.sagemaker.exceptions.ResourceLimitExceeded, match="a request delta of 2 Instances"):
        limited.submit(ResourceConfig=two)


def test_ended_job_frees_its_quota(limited: TrainingAccount) -> None:
    limited.run(name="first")

    assert limited.run(name="second")["TrainingJobStatus"] == "Completed"


def test_lost_job_frees_its_quota(limited: TrainingAccount) -> None:
    limited.submit(WAITS, "first")
    limited.follow(name="first")
    os.kill(limited.supervisor("first"), signal.SIGKILL)
    limited.wait("first")

    assert limited.run(name="second")["TrainingJobStatus"] == "Completed"
