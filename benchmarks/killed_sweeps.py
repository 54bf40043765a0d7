"""
Two programs run the same sweep at once, and are killed at random moments, until all of its trials are trained.

    python -m benchmarks.killed_sweeps [--kills 100] [--strategy grid] [--seed 1]

Each is killed with SIGKILL, and started again. When a sweep is complete, it must have as many trials, of different
points, as it should have, and every trial one job: nothing lost, and nothing repeated. The exit code is 1 otherwise.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Space, Workspace, choice, uniform
from mnist_tracking._aws.sdk import load

SCRIPT = "import sys\nprint(f'score={sys.argv[-1]};')\n"
TRIALS = 6
KILLS_OF_A_SWEEP = 8
LONGEST_S = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--strategy", default="grid")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, kills, sweeps, lost, repeated = random.Random(options.seed), 0, 0, 0, 0
    load()  # once, for all processes
    with tempfile.TemporaryDirectory() as folder:
        while kills < options.kills:
            sweep = Sweep(Path(folder), f"sweep-{sweeps}", options.strategy)
            kills += run_killed(sweep, chance, most=min(KILLS_OF_A_SWEEP, options.kills - kills))
            sweeps += 1
            faults = sweep.faults()
            lost, repeated = lost + faults["lost"], repeated + faults["repeated"]
            print(f"{kills} kills, {sweeps} sweeps of {TRIALS} trials: lost {lost}, repeated {repeated}", flush=True)
    return 1 if lost or repeated else 0


class Sweep:
    """One sweep, with an experiment of its own."""

    def __init__(self, folder: Path, experiment: str, strategy: str) -> None:
        self.home, self.experiment, self.strategy = folder / "home", experiment, strategy
        self.script = folder / "train.py"
        self.script.write_text(SCRIPT)

    def run(self) -> None:
        job = JobSpec(entry_point=self.script, metrics={"score": r"score=(\S+?);"}, objective="score")
        with Workspace.embedded(self.home) as workspace:
            runner = ExperimentRunner(workspace, self.experiment, job=job)
            numbers = [float(number) for number in range(TRIALS)]
            dimension = choice(numbers) if self.strategy == "grid" else uniform(0.0, TRIALS)
            sweep = HyperparameterSweep(
                runner,
                Space.of({"number": dimension}),
                strategy=self.strategy,
                max_trials=TRIALS,
                max_parallel=2,
                name=self.experiment,
            )
            sweep.run(progress=False)

    def faults(self) -> Counter[str]:
        """Return how many trials were lost, and how many trials or jobs there are more than that."""
        with Workspace.embedded(self.home) as workspace:
            trials = list(workspace.trials(self.experiment))
            jobs = Counter(
                summary["TrainingJobName"].rpartition("-")[0]
                for page in workspace.client("sagemaker").get_paginator("list_training_jobs").paginate()
                for summary in page["TrainingJobSummaries"]
            )
        completed = {trial.hyperparameters["number"] for trial in trials if trial.status == "Completed"}
        own = [trial.job_name.rpartition("-")[0] for trial in trials]
        return Counter(
            lost=TRIALS - len(completed),
            repeated=len(trials) - len(completed) + sum(jobs[name] - 1 for name in set(own)),
        )


def run_killed(sweep: Sweep, chance: random.Random, *, most: int) -> int:
    """Run a sweep in two processes, kill one of them at random moments, and return how often."""
    kills, running = 0, [start(sweep), start(sweep)]
    try:
        while running:
            time.sleep(chance.uniform(0, LONGEST_S))
            for child in running[:]:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    running.remove(child)
                if status:
                    raise SystemExit(f"a program failed by itself, with the status {status}")
            if len(running) == 2 and kills < most:
                kill(running.pop(chance.randrange(2)))
                kills += 1
                running.append(start(sweep))
    finally:
        for child in running:  # after an error
            kill(child)
    return kills


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def start(sweep: Sweep) -> int:
    """Run a sweep in a forked process, and return its id."""
    if child := os.fork():
        return child
    status = 1
    try:
        sweep.run()
        status = 0
    except BaseException:  # noqa: BLE001 - the child must not continue as its parent
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
