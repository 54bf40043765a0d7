"""
Client overhead of a run and of a deployment: wall time of the call, minus the time of the subprocess.

The time of a run's job is from its creation to its end, as recorded by the service. The rest is packing, sending,
polling and reading results. The time to import the SDKs is measured first, and printed separately.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from mnist_tracking import BestModelDeployer, ExperimentRunner, JobSpec, Workspace

TOY = Path(__file__).resolve().parents[1] / "tests" / "support" / "toy"
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
    job = runner.workspace.client("sagemaker").describe_training_job(TrainingJobName=trial.job_name)
    return trial.name, wall - float((job["LastModifiedTime"] - job["CreationTime"]).total_seconds())


def _deploy(workspace: Workspace, trial: str) -> float:
    begun = time.perf_counter()
    with BestModelDeployer(workspace).deploy(trial) as endpoint:
        wall = time.perf_counter() - begun
        description = workspace.client("sagemaker").describe_endpoint(EndpointName=endpoint.name)
        endpoint.predict(np.zeros(1))
    return wall - float((description["LastModifiedTime"] - description["CreationTime"]).total_seconds())


def _show(what: str, seconds: list[float], *, limit: float) -> None:
    middle, worst = statistics.median(seconds), max(seconds)
    print(f"{what}: median {middle:.3f} s, max {worst:.3f} s over {len(seconds)} (target: at most {limit} s)")


if __name__ == "__main__":
    main()
