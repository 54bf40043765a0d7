"""Programs that run a sweep: several at once, killed, interrupted, and run again."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Leaderboard, Workspace, uniform
from mnist_tracking.embedded import EmbeddedSageMaker


class Driver:
    """A program that runs one sweep, and opens its workspace anew each time: a grid, unless it has another strategy."""

    def __init__(self, home: Path, job: JobSpec, points: int, **settings: Any) -> None:
        self.home, self.job, self.points, self.settings = home, job, points, settings

    def run(self, experiment: str = "lines", *, max_parallel: int = 1, resume: bool = False) -> Leaderboard:
        with Workspace.embedded(engine=EmbeddedSageMaker(self.home)) as workspace:
            runner = ExperimentRunner(workspace, experiment, job=self.job)
            space: dict[str, Any] = {"slope": [float(slope) for slope in range(self.points)]}
            if self.settings:
                space = {"slope": uniform(0.0, 4.0)}
            sweep = HyperparameterSweep(runner, space, name="night", max_parallel=max_parallel, **self.settings)
            return sweep.run(resume=resume)

    def jobs(self) -> Counter[str]:
        """The number of jobs by the name of their trial."""
        engine = EmbeddedSageMaker(self.home)
        with Workspace.embedded(engine=engine) as workspace:
            pages = workspace.client("sagemaker").get_paginator("list_training_jobs").paginate()
            names = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
            client = workspace.client("sagemaker")
            jobs = [client.describe_training_job(TrainingJobName=name) for name in names]
        return Counter(job["ExperimentConfig"]["TrialName"] for job in jobs)


def run_in_process(operation: Callable[[], object]) -> int:
    """Run an operation in another process, and return the process's id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            operation()
            status = 0
        finally:
            os._exit(status)
    return child
