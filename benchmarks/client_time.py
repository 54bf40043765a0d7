"""
What the client adds to a run and to a deploy: wall time around the call, less what the subprocess itself took.

A run's own time is its job's, from the training job's creation to its end as the service recorded them. What is left is
packing, sending, noticing and reading back. Importing the SDKs is paid before, and printed apart.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from mnist_tracking import BestModelDeployer, ExperimentRunner, JobSpec, Workspace

TOY = Path(__file__).resolve().parents[1] / "tests" / "library" / "toy"
RUNS = 5


def main() -> None:
    begun = time.perf_counter()
    from mnist_tracking._aws.sdk import load

    load()
    print(f"importing the SDKs, once: {time.perf_counter() - begun:.2f} s")
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace.embedded(home)
        job = JobSpec(entry_point="train.py", source_dir=TOY, metrics={"score": r"score=(\S+?);"})
        runner = ExperimentRunner(workspace, "client-time", job=job)
        runs = [_run(runner) for _ in range(RUNS)]
        deploys = [_deploy(workspace, name) for name, _ in runs]
        workspace.close()
    _show("run: client time beyond its subprocess", [seconds for _, seconds in runs], limit=0.4)
    _show("deploy: client time beyond its subprocess", deploys, limit=0.6)


def _run(runner: ExperimentRunner) -> tuple[str, float]:
    begun = time.perf_counter()
    trial = runner.run({"steps": 1})
    wall = time.perf_counter() - begun
    told = runner.workspace.client("sagemaker").describe_training_job(TrainingJobName=trial.job_name)
    return trial.name, wall - float((told["LastModifiedTime"] - told["CreationTime"]).total_seconds())


def _deploy(workspace: Workspace, trial: str) -> float:
    begun = time.perf_counter()
    with BestModelDeployer(workspace).deploy(trial) as endpoint:
        wall = time.perf_counter() - begun
        told = workspace.client("sagemaker").describe_endpoint(EndpointName=endpoint.name)
        endpoint.predict(np.zeros(1))
    return wall - float((told["LastModifiedTime"] - told["CreationTime"]).total_seconds())


def _show(what: str, seconds: list[float], *, limit: float) -> None:
    middle, worst = statistics.median(seconds), max(seconds)
    print(f"{what}: median {middle:.3f} s, max {worst:.3f} s over {len(seconds)} (wanted: at most {limit} s)")


if __name__ == "__main__":
    main()
