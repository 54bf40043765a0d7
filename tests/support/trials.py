"""Trials as a leaderboard has them, without training any."""

from datetime import UTC, datetime
from typing import Any

from mnist_tracking import Trial, Workspace
from mnist_tracking.types import Metric


def a_trial(
    workspace: Workspace, channels: int, status: str = "Completed", *, accuracy: float = 87.125, **changes: Any
) -> Trial:
    """Return a trial ``demo-trial-<channels>``; one that failed has no metric."""
    metric = Metric("validation:accuracy", accuracy, accuracy, accuracy, accuracy, 0.0, 1)
    values: dict[str, Any] = {
        "name": f"demo-trial-{channels}",
        "experiment": "demo",
        "status": status,
        "failure_reason": "out of\nmemory" if status == "Failed" else "",
        "hyperparameters": {"hidden_channels": channels},
        "metrics": {metric.name: metric} if status != "Failed" else {},
        "job_name": "job",
        "component_name": "job-aws-training-job",
        "model_uri": None,
        "code_uri": None,
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "duration_s": 3.0,
        "account": workspace,
    }
    return Trial(**{**values, **changes})
