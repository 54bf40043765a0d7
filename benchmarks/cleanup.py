"""
Time to clean up an experiment: this library and smexperiments' `Experiment.delete_all(action="--force")`, which sleeps.

Each trial has two components. Both run on an embedded SageMaker, so only the time of the client and of SQLite is
measured; on AWS, the service's latency and rate limits are added to both.
"""

import tempfile
import time
from collections.abc import Callable
from typing import Any

from mnist_tracking import ExperimentRunner, Workspace
from mnist_tracking._aws.sdk import quiet

FEW, MANY = 3, 300


def main() -> None:
    with quiet():
        from smexperiments.experiment import Experiment

    with tempfile.TemporaryDirectory() as home, Workspace.embedded(home) as workspace:
        client = workspace.client("sagemaker")

        def delete_all(runner: ExperimentRunner) -> None:
            with quiet():
                Experiment.load(runner.name, sagemaker_boto_client=client).delete_all(action="--force")

        reference = _seconds(workspace, "theirs", FEW, delete_all)
        ours = _seconds(workspace, "ours", FEW, lambda runner: runner.cleanup())
        many = _seconds(workspace, "many", MANY, lambda runner: runner.cleanup())
    print(f"{FEW} trials of 2 components: delete_all {reference:.1f} s, ours {ours:.2f} s: {reference / ours:.0f} to 1")
    print(f"{MANY} trials of 2 components: ours {many:.1f} s")


def _seconds(workspace: Workspace, name: str, trials: int, clean: Callable[[ExperimentRunner], Any]) -> float:
    runner = ExperimentRunner(workspace, name)
    for number in range(trials):
        with runner.trial({"number": number}, name=f"{name}-{number}"), runner.step("Notes", trial=f"{name}-{number}"):
            pass
    begun = time.perf_counter()
    clean(runner)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
