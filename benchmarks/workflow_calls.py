"""
The calls of the reference workflow's nine steps, with five trials, by operation.

Polls depend on how long jobs and endpoints take, and are counted apart. A call that is answered with an error is
listed: such a call is a question, such as whether a bucket exists.
"""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from botocore.model import OperationModel

from mnist_tracking import BestModelDeployer, ExperimentRunner, HyperparameterSweep, JobSpec, LineageTracer, Workspace

TOY = Path(__file__).resolve().parents[1] / "tests" / "support" / "toy"
POLLS = frozenset({"DescribeTrainingJob", "DescribeEndpoint", "DescribeLogStreams", "GetLogEvents"})
TRIALS = 5


def main() -> None:
    calls: Counter[str] = Counter()
    errors: Counter[str] = Counter()

    def count(http_response: Any, parsed: dict[str, Any], model: OperationModel, **_: object) -> None:
        name = f"{model.service_model.service_name}:{model.name}"
        calls[name] += 1
        if http_response.status_code >= 400:
            errors[f"{name} ({parsed['Error']['Code']})"] += 1

    with tempfile.TemporaryDirectory() as folder, Workspace.embedded(Path(folder, "home")) as workspace:
        workspace.boto_session.events.register("after-call.*.*", count)
        workflow(workspace, Path(folder))
    polls = sum(number for name, number in calls.items() if name.partition(":")[2] in POLLS)
    print(f"calls of the nine steps with {TRIALS} trials: {calls.total() - polls}, and {polls} polls")
    for name, number in sorted(calls.items()):
        print(f"{number:5} {name}")
    print(f"answered with an error: {', '.join(f'{n} x {name}' for name, n in sorted(errors.items())) or 'none'}")


def workflow(workspace: Workspace, place: Path) -> None:
    data = place / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    job = JobSpec(entry_point="train.py", source_dir=TOY, metrics={"score": r"score=(\S+?);"}, objective="score")
    runner = ExperimentRunner(workspace, "lines", description="Fitted lines.", job=job)
    runner.upload_dataset(data, parameters={"rows": 1})
    board = HyperparameterSweep(runner, {"slope": [float(number) for number in range(TRIALS)]}).run()
    board.dataframe()
    LineageTracer(workspace).trace(board.best)
    with BestModelDeployer(workspace).deploy(board) as endpoint:
        endpoint.predict(np.array([1.0, 2.0]))
    runner.cleanup()


if __name__ == "__main__":
    main()
