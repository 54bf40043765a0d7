"""
A leaderboard as a data frame against MLflow's ``search_runs`` on SQLite, and a recorded trial against a recorded run.

    python -m benchmarks.board_vs_mlflow [--trials 1000] [--repeats 5] [--python PYTHON]

Both record the same: six hyperparameters, and three metrics at three steps. This library records every trial by
``runner.trial``; MLflow records 200 runs by its client, and their rows are copied until there are as many. Both are
read by their public functions, ranked by the same metric, in new processes that alternate, so that what else the
machine does affects both alike.

MLflow is no dependency of this library. *PYTHON* is an interpreter that has it; by default, a new environment in the
user's cache folder.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.mlflow_runs import metrics, parameters

MLFLOW_RUNS = Path(__file__).with_name("mlflow_runs.py")
MLFLOW = ("mlflow-skinny==3.17.2", "sqlalchemy", "alembic", "pandas")
RECORDED = 200
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read(options.read, options.repeats)))
        return
    python = options.python or mlflow_environment()
    if python is None:
        print(f"MLflow cannot be installed here. Pass --python, an interpreter that has {' '.join(MLFLOW)}.")
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), python, trials=options.trials, repeats=options.repeats)


def compare(folder: Path, python: Path, *, trials: int, repeats: int) -> None:
    calls: dict[str, int] = {}
    home, file = folder / "home", folder / "mlflow.db"
    our_s = record(home, trials)
    their_s = mlflow(python, "record", file, min(RECORDED, trials))
    print(f"a trial: {our_s * 1000:.1f} ms, MLflow's: {their_s * 1000:.1f} ms, ratio {their_s / our_s:.1f}", flush=True)
    mlflow(python, "copy", file, trials)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        times, calls = run_apart(home, repeats)
        ours += times
        theirs += mlflow(python, "read", file, repeats)
    assert {found[2] for found in [*ours, *theirs]} == {trials}
    print(f"calls of a board of {trials} trials: {sum(calls.values())}: {dict(calls)}")
    for place, what in enumerate(("wall", "processor")):
        one, other = ([times[place] for times in side] for side in (ours, theirs))
        ratios = sorted(slow / fast for slow, fast in zip(other, one, strict=True))
        one_s, other_s = statistics.median(one), statistics.median(other)
        print(
            f"board and frame, {what} time: {one_s:.2f} s, MLflow's: {other_s:.2f} s, "
            f"ratio {other_s / one_s:.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        )


def record(home: Path, number: int) -> float:
    """Record that many trials; return the seconds for each, without the first."""
    from mnist_tracking import ExperimentRunner, Workspace

    with Workspace.embedded(home) as workspace:
        runner, begun = ExperimentRunner(workspace, "board"), 0.0
        for index in range(number):
            begun = begun or (time.perf_counter() if index else 0.0)
            with runner.trial(parameters(index), name=f"t-{index:05d}") as trial:
                for step in range(3):
                    trial.log_metrics(metrics(index, step), step=step)
        return (time.perf_counter() - begun) / (number - 1)


def read(home: Path, repeats: int) -> tuple[list[tuple[float, float, int]], dict[str, int]]:
    """Return the wall and the processor seconds of a board and its frame, the number of trials, and a board's calls."""
    from mnist_tracking import Leaderboard, Workspace
    from mnist_tracking.types import Timing

    times, calls = [], Counter[str]()
    timing = Timing(settled_within_s=0.0)  # as two minutes after the last trial has ended
    with Workspace.embedded(home, timing=timing) as workspace:
        workspace.boto_session.events.register("after-call.*.*", lambda model, **_: calls.update([model.name]))
        for _ in range(repeats + 1):
            calls.clear()
            wall, cpu = time.perf_counter(), time.process_time()
            frame = Leaderboard.load(workspace, "board", objective="validation:accuracy").dataframe()
            times.append((time.perf_counter() - wall, time.process_time() - cpu, len(frame)))
    return times[1:], dict(calls)


def run_apart(home: Path, repeats: int) -> tuple[list[tuple[float, float, int]], dict[str, int]]:
    command = [sys.executable, "-m", "benchmarks.board_vs_mlflow", "--read", str(home), "--repeats", str(repeats)]
    root = Path(__file__).resolve().parents[1]
    times, calls = json.loads(subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout)
    return times, calls


def mlflow(python: Path, action: str, file: Path, number: int) -> Any:
    command = [str(python), str(MLFLOW_RUNS), action, str(file), str(number)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def mlflow_environment() -> Path | None:
    """Return the interpreter of an environment that has MLflow, in the user's cache folder; None if there is no way."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache, "mnist-tracking", MLFLOW[0].replace("==", "-"))
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing {MLFLOW[0]} into {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        if subprocess.run([str(python), "-m", "pip", "install", "--quiet", *MLFLOW], check=False).returncode:
            return None
        (folder / "complete").touch()
    return python


if __name__ == "__main__":
    main()
