"""
MLflow's side of `board_vs_mlflow`: runs recorded in a SQLite file and read as a data frame, by MLflow's own client.

    python benchmarks/mlflow_runs.py record FILE NUMBER | copy FILE NUMBER | read FILE REPEATS

It runs with a Python that has MLflow, which need not have this library.
"""

import importlib
import json
import os
import sqlite3
import sys
import time
from contextlib import closing

TABLES = ("runs", "params", "metrics", "latest_metrics", "tags")
EXPERIMENT = "board"


def record(file: str, number: int) -> tuple[float, float]:
    """Record that many runs after a first one; return the wall and the processor seconds for each."""
    mlflow = importlib.import_module("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{file}")
    mlflow.set_experiment(EXPERIMENT)
    wall = cpu = 0.0
    for index in range(number + 1):
        if index == 1:
            wall, cpu = time.perf_counter(), time.process_time()
        with mlflow.start_run(run_name=f"t-{index:05d}"):
            mlflow.log_params(parameters(index))
            for step in range(3):
                mlflow.log_metrics({name.replace(":", "/"): v for name, v in metrics(index, step).items()}, step=step)
    return (time.perf_counter() - wall) / number, (time.process_time() - cpu) / number


def copy(file: str, number: int) -> int:
    """Copy the rows of the recorded runs under new names until there are that many runs; return how many there are."""
    with closing(sqlite3.connect(file)) as connection, connection:
        recorded = [row[0] for row in connection.execute("SELECT run_uuid FROM runs ORDER BY start_time")]
        for start in range(len(recorded), number, len(recorded)):
            connection.execute("CREATE TEMP TABLE copied (run_uuid TEXT PRIMARY KEY)")
            connection.executemany("INSERT INTO copied VALUES (?)", [(run,) for run in recorded[: number - start]])
            for table in TABLES:
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                values = [f"'{start:06d}' || substr(run_uuid, 7)" if name == "run_uuid" else name for name in columns]
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} "
                    "WHERE run_uuid IN (SELECT run_uuid FROM copied)"
                )
            connection.execute("DROP TABLE copied")
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])


def read(file: str, repeats: int) -> list[tuple[float, float, int]]:
    """Return the wall and the processor seconds of ``search_runs``, and the number of runs, after one to warm up."""
    mlflow = importlib.import_module("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{file}")
    times = []
    for _ in range(repeats + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        frame = mlflow.search_runs(experiment_names=[EXPERIMENT], order_by=["metrics.`validation/accuracy` DESC"])
        times.append((time.perf_counter() - wall, time.process_time() - cpu, len(frame)))
    return times[1:]


def parameters(index: int) -> dict[str, str | float]:
    """Return the hyperparameters of a trial."""
    network: dict[str, str | float] = {"hidden_channels": index % 32 + 1, "dropout": 0.2, "optimizer": "sgd"}
    return {"lr": 0.001 * (index % 50 + 1), "epochs": 2, "batch_size": 64, **network}


def metrics(index: int, step: int) -> dict[str, float]:
    """Return the metrics of a trial at a step."""
    losses = {"validation:loss": 0.5 / (step + 1), "train:loss": 0.4 / (step + 1)}
    return {"validation:accuracy": 90 + index % 100 / 10 + step / 10, **losses}


def main() -> None:
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    action, file, number = sys.argv[1:]
    print(json.dumps({"record": record, "copy": copy, "read": read}[action](file, int(number))))


if __name__ == "__main__":
    main()
