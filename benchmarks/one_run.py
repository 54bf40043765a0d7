"""One training run of this library, or of the reference's loop, in a separate process with one thread."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal, TypedDict

ROOT = Path(__file__).resolve().parents[1]
Program = Literal["ours", "reference", "fast"]
PROGRAMS: tuple[Program, ...] = ("ours", "reference")


class Run(TypedDict):
    """The result of one run; the accuracy is in percent of the test images."""

    accuracy: float
    core_seconds: float
    dataset: str


def run_apart(
    program: Program, data_dir: Path, *, hidden_channels: int, epochs: int, seed: int = 1, precision: str = "fp32"
) -> Run:
    """Run *program* in a new process and return its measurements."""
    command = [sys.executable, "-m", "benchmarks.one_run", program, str(data_dir.resolve())]
    command += [str(hidden_channels), str(epochs), str(seed), precision]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    measured: Run = json.loads(done.stdout.splitlines()[-1])
    return measured


def train_ours(data_dir: Path, *, hidden_channels: int, epochs: int, seed: int, precision: str) -> Run:
    """Train by the reference's recipe."""
    settings = {"hidden_channels": hidden_channels, "epochs": epochs, "seed": seed, "precision": precision}
    return _train(data_dir, recipe="reference", dropout=0.2, **settings)


def train_fast(data_dir: Path, *, hidden_channels: int, epochs: int, seed: int, precision: str) -> Run:
    """Train by the fast recipe."""
    settings = {"hidden_channels": hidden_channels, "epochs": epochs, "seed": seed, "precision": precision}
    return _train(data_dir, recipe="fast", **settings)


def _train(data_dir: Path, **overrides: object) -> Run:
    """Train as a job does, including model, checkpoints and log lines; the time to import torch is not counted."""
    from mnist_tracking.training.hyperparameters import Hyperparameters
    from mnist_tracking.training.run import Places, run

    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        places = Places(data=data_dir, model=Path(folder, "model"), checkpoints=Path(folder, "checkpoints"))
        result = run(Hyperparameters.from_mapping(overrides), places)
        spent = time.process_time() - started
    return {"accuracy": result.test.accuracy, "core_seconds": spent, "dataset": "resident tensors"}


def train_reference(data_dir: Path, *, hidden_channels: int, epochs: int, seed: int, precision: str) -> Run:
    """Train as the reference does, which supports only fp32."""
    assert precision == "fp32"
    import torch
    from benchmarks import reference_loop

    torch.set_num_threads(1)
    accuracy, spent, dataset = reference_loop.train_reference(
        data_dir, hidden_channels=hidden_channels, epochs=epochs, seed=seed
    )
    return {"accuracy": accuracy, "core_seconds": spent, "dataset": dataset}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=(*PROGRAMS, "fast"))
    parser.add_argument("data_dir", type=Path)
    for name in ("hidden_channels", "epochs", "seed"):
        parser.add_argument(name, type=int)
    parser.add_argument("precision")
    options = parser.parse_args()
    train = {"ours": train_ours, "reference": train_reference, "fast": train_fast}[options.program]
    run = train(
        options.data_dir,
        hidden_channels=options.hidden_channels,
        epochs=options.epochs,
        seed=options.seed,
        precision=options.precision,
    )
    print(json.dumps(run))


if __name__ == "__main__":
    main()
