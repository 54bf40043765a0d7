"""What every test of a training script's calls gets."""

import threading

import pytest

from mnist_tracking import job

FRESH = {"_warnings": set, "_non_finite": dict, "_gave_up": threading.Event}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was reported yet, and nothing given up."""
    for name, make in FRESH.items():
        monkeypatch.setattr(job, name, make())
    job._client.cache_clear()


@pytest.fixture
def in_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_JOB_NAME", "job-1")
    monkeypatch.setenv("TRAINING_JOB_ARN", "arn:aws:sagemaker:us-east-1:000000000000:training-job/job-1")
