"""What every test of a training script's calls gets."""

import threading

import pytest

from mnist_tracking import job

FRESH = {"_said": set, "_gave_up": threading.Event}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was said yet, nothing given up, and no test waits."""
    for name, make in FRESH.items():
        monkeypatch.setattr(job, name, make())
    monkeypatch.setattr(job, "_PAUSES_S", (0.0, 0.0))
    job._client.cache_clear()


@pytest.fixture
def in_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_JOB_NAME", "job-1")
    monkeypatch.setenv("TRAINING_JOB_ARN", "arn:aws:sagemaker:us-east-1:000000000000:training-job/job-1")
