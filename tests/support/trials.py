"""Trials as a leaderboard has them, without training any."""

from datetime import UTC, datetime
from typing import Any

from mnist_tracking import JobSpec, Trial, Workspace
from mnist_tracking._values.metric_lines import LogSearch
from mnist_tracking.experiments.progress import Progress
from mnist_tracking.types import Metric, MetricPoint


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


def tell(view: Progress, job: JobSpec, trial_name: str, *lines: str) -> None:
    """Show the lines of a trial's log, and the values of metrics in them, as a sweep does."""
    search = LogSearch({item.name: item.regex for item in job.metrics})
    for line in lines:
        view.logged(trial_name, line)
        for found in search.find(line):
            view.reported(trial_name, MetricPoint(found.name, found.step, found.value, None))
