"""
What a sweep adds to its trials: one-second trials, two at once, against the time that their scripts sleep.

    python -m benchmarks.sweep_overhead [--trials 40] [--parallel 2]

The ideal is the number of trials divided by how many run at once, in seconds. The stages of the jobs are those that
DescribeTrainingJob shows: "Starting" is the start of the process that supervises the job, "Training" the script's
interpreter and its one second. What remains is the driver: submitting, polling and recording. Processor time and memory
are those of the driver alone; memory is what it grows by in the second half.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Workspace

SCRIPT = "import time\ntime.sleep(1)\nprint('score=1;')\n"
SECONDS = 1.0
STAGES = ("Starting", "Downloading", "Training", "Uploading")
LIMIT = 1.10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--parallel", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Workspace.embedded(Path(folder, "home")) as workspace:
        measure(workspace, Path(folder), trials=options.trials, parallel=options.parallel)


def measure(workspace: Workspace, folder: Path, *, trials: int, parallel: int) -> None:
    (folder / "train.py").write_text(SCRIPT)
    job = JobSpec(entry_point=folder / "train.py", metrics={"score": r"score=(\S+?);"}, objective="score")
    runner = ExperimentRunner(workspace, "overhead", job=job)
    runner.run({"number": -1}, name="first", progress=False)  # imports the SDKs
    memory, sweep = Memory(), HyperparameterSweep(runner, {"number": list(range(trials))}, max_parallel=parallel)
    cpu, begun = time.process_time(), time.perf_counter()
    board = sweep.run(observer=memory, progress=False)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert [trial.status for trial in board] == ["Completed"] * (trials + 1)
    ideal = trials * SECONDS / parallel
    print(
        f"{trials} trials of {SECONDS:.0f} s, {parallel} at once: {wall:.1f} s, {wall / ideal:.2f} times the ideal "
        f"(target: at most {LIMIT})"
    )
    print(f"driver: {cpu / trials * 1000:.0f} CPU-ms and {memory.growth() / 1024:.1f} KiB of memory per trial")
    stages = stages_of(workspace.client("sagemaker"))
    shown = {name: statistics.mean(stages[name]) for name in STAGES}
    rest = wall * parallel / trials - sum(shown.values())
    print("a trial: " + ", ".join(f"{name} {seconds:.3f} s" for name, seconds in {**shown, "driver": rest}.items()))


class Memory:
    """A `TrialObserver` that looks how much memory this process has at the end of each trial."""

    def __init__(self) -> None:
        self._bytes: list[int] = []

    def started(self, *_: object) -> None: ...

    def logged(self, *_: object) -> None: ...

    def ended(self, _: object) -> None:
        self._bytes.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())

    def growth(self) -> float:
        """Return how many bytes each trial of the second half has added."""
        half = self._bytes[len(self._bytes) // 2 :]
        return (half[-1] - half[0]) / (len(half) - 1)


def stages_of(client: Any) -> dict[str, list[float]]:
    """Return how long each stage of each job took, but for the first job."""
    found = defaultdict(list)
    pages = client.get_paginator("list_training_jobs").paginate(SortBy="CreationTime", SortOrder="Ascending")
    for summary in [job for page in pages for job in page["TrainingJobSummaries"]][1:]:
        job = client.describe_training_job(TrainingJobName=summary["TrainingJobName"])
        for stage in job["SecondaryStatusTransitions"]:
            found[stage["Status"]].append((stage["EndTime"] - stage["StartTime"]).total_seconds())
    return found


if __name__ == "__main__":
    main()
