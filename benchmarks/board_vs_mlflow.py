"""
A leaderboard as a data frame against MLflow's ``search_runs`` on SQLite, and a recorded trial against a recorded run.

    python -m benchmarks.board_vs_mlflow [--trials 1000] [--repeats 5] [--python PYTHON]

Both record the same: six hyperparameters, and three metrics at three steps. This library records every trial by
``runner.trial``; MLflow records some by its client, and their rows are copied until there are as many. Both are read by
their public functions, ranked by the same metric. Recording and reading alternate, in new processes, so that what else
the machine does affects both alike.

MLflow is not a dependency of this library. *PYTHON* is an interpreter that has it; by default, a new environment in the
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
RECORDED = 60
ROUNDS = 3
Times = tuple[float, ...]
"""Wall and processor seconds, and maybe a number of trials."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--apart", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.apart:
        action, home, number, start = options.apart
        of_it = (Path(home), int(number))
        print(json.dumps(read(*of_it) if action == "read" else record(*of_it, int(start))))
        return
    python = options.python or mlflow_environment()
    if python is None:
        print(f"MLflow cannot be installed here. Pass --python, an interpreter that has {' '.join(MLFLOW)}.")
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), python, trials=options.trials, repeats=options.repeats)


def compare(folder: Path, python: Path, *, trials: int, repeats: int) -> None:
    home, file = folder / "home", folder / "mlflow.db"
    ours, theirs, recorded = list[Times](), list[Times](), 0
    for _ in range(ROUNDS):
        ours.append(run_apart("record", home, RECORDED, start=recorded))
        theirs.append(mlflow(python, "record", file, RECORDED))
        recorded += RECORDED + 1
    show("a trial", ours, theirs, unit=1000, digits="4.1f", name="ms")
    run_apart("record", home, trials - recorded - 1, start=recorded)
    mlflow(python, "copy", file, trials)
    ours, theirs, calls = [], [], Counter[str]()
    for _ in range(ROUNDS):
        times, calls = run_apart("read", home, repeats)
        ours += times
        theirs += mlflow(python, "read", file, repeats)
    assert {found[2] for found in [*ours, *theirs]} == {trials}
    print(f"calls of a board of {trials} trials: {sum(calls.values())}: {calls}")
    show(f"a board of {trials} trials and its frame", ours, theirs, unit=1, digits=".2f", name="s")


def show(what: str, ours: list[Times], theirs: list[Times], *, unit: float, digits: str, name: str) -> None:
    """Print the medians of wall and processor time, and the ratios of the medians and of each pair."""
    for place, kind in enumerate(("wall", "processor")):
        one, other = ([times[place] for times in side] for side in (ours, theirs))
        ratios = sorted(slow / fast for slow, fast in zip(other, one, strict=True))
        one_s, other_s = statistics.median(one), statistics.median(other)
        print(
            f"{what}, {kind} time: {one_s * unit:{digits}} {name}, MLflow's: {other_s * unit:{digits}} {name}, "
            f"ratio {other_s / one_s:.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})",
            flush=True,
        )


def record(home: Path, number: int, start: int) -> Times:
    """Record that many trials after a first one; return the wall and the processor seconds for each."""
    from mnist_tracking import ExperimentRunner, Workspace

    with Workspace.embedded(home) as workspace:
        runner, wall, cpu = ExperimentRunner(workspace, "board"), 0.0, 0.0
        for index in range(start, start + number + 1):
            if index == start + 1:
                wall, cpu = time.perf_counter(), time.process_time()
            with runner.trial(parameters(index), name=f"t-{index:05d}") as trial:
                for step in range(3):
                    trial.log_metrics(metrics(index, step), step=step)
        return (time.perf_counter() - wall) / number, (time.process_time() - cpu) / number


def read(home: Path, repeats: int) -> tuple[list[Times], dict[str, int]]:
    """Return the wall and the processor seconds of a board and its frame, the number of trials, and a board's calls."""
    from mnist_tracking import Leaderboard, Workspace
    from mnist_tracking.types import Timing

    times, calls = list[Times](), Counter[str]()
    timing = Timing(settled_within_s=0.0)  # as two minutes after the last trial has ended
    with Workspace.embedded(home, timing=timing) as workspace:
        workspace.boto_session.events.register("after-call.*.*", lambda model, **_: calls.update([model.name]))
        for _ in range(repeats + 1):
            calls.clear()
            wall, cpu = time.perf_counter(), time.process_time()
            frame = Leaderboard.load(workspace, "board", objective="validation:accuracy").dataframe()
            times.append((time.perf_counter() - wall, time.process_time() - cpu, len(frame)))
    return times[1:], dict(calls)


def run_apart(action: str, home: Path, number: int, *, start: int = 0) -> Any:
    command = [
        sys.executable,
        "-m",
        "benchmarks.board_vs_mlflow",
        "--apart",
        action,
        str(home),
        str(number),
        str(start),
    ]
    root = Path(__file__).resolve().parents[1]
    return json.loads(subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout)


def mlflow(python: Path, action: str, file: Path, number: int) -> Any:
    command = [str(python), str(MLFLOW_RUNS), action, str(file), str(number)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def mlflow_environment() -> Path | None:
    """Return the interpreter of an environment that has MLflow, in the user's cache folder; None without one."""
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
