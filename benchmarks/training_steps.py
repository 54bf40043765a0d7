"""
Training steps of this library or of the reference's loop, in a separate process with one thread.

Used by `training_limits`.

    python -m benchmarks.training_steps ours DIR 20 bf16
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal, TypedDict

ROOT = Path(__file__).resolve().parents[1]
IMAGES, WARM = 12_800, 640  # images per measurement, and for warming up
Program = Literal["ours", "reference"]


class Steps(TypedDict):
    """Measurements of one process; flops_per_s is that of a large matrix product, peak_mib the peak memory."""

    images_per_s: float
    flops_per_s: float
    start_s: float
    peak_mib: float


def measure_apart(program: Program, data_dir: Path, *, channels: int, precision: str = "fp32") -> Steps:
    """Measure in a new process, in CPU time rather than wall time."""
    command = [sys.executable, "-m", "benchmarks.training_steps", program, str(data_dir.resolve())]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(channels), precision], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    measured: Steps = json.loads(done.stdout.splitlines()[-1])
    return measured


def _ours(data_dir: Path, channels: int, precision: str) -> tuple[float, float]:
    """Return images/s, and the seconds from after ``import torch`` to the end of the first step."""
    started = time.process_time()
    from mnist_tracking.training.data import DigitData, load_data
    from mnist_tracking.training.events import EpochEnd, Evaluation, Progress
    from mnist_tracking.training.hyperparameters import Hyperparameters
    from mnist_tracking.training.loop import train
    from mnist_tracking.training.randomness import seeded
    from mnist_tracking.training.run import new_model

    class Watch:
        """Records the CPU time at each line of the log."""

        def __init__(self) -> None:
            self.moments: list[float] = []

        def on_progress(self, _: Progress) -> None:
            self.moments.append(time.process_time())

        def on_epoch(self, _: EpochEnd) -> None: ...

        def on_test(self, _: Evaluation) -> None: ...

    import torch

    data = load_data(data_dir, validation_fraction=1 / 12, generator=seeded(1, "split"))
    few = DigitData(data.train.part(slice(IMAGES + WARM)), data.validation.part(slice(64)), data.test.part(slice(64)))
    moments = []
    for interval in (1, WARM // 64):
        settings = Hyperparameters(
            recipe="reference",
            hidden_channels=channels,
            dropout=0.2,
            epochs=1,
            precision=precision,
            log_interval=interval,
        )
        part = few if interval > 1 else DigitData(few.train.part(slice(64)), few.validation, few.test)
        watch = Watch()
        train(new_model(settings, torch.device("cpu")), part, settings, watch)
        moments.append(watch.moments)
    return IMAGES / (moments[1][-1] - moments[1][0]), moments[0][0] - started


def _reference(data_dir: Path, channels: int) -> float:
    """Return images/s."""
    import tempfile

    import torch
    from benchmarks import reference_loop as reference

    with tempfile.TemporaryDirectory() as scratch:
        _, dataset = reference.choose_dataset(data_dir, Path(scratch))
        train, test = dataset("train"), dataset("test")
    warm, few = (torch.utils.data.Subset(train, range(count)) for count in (WARM, IMAGES))
    none = torch.utils.data.Subset(test, range(64))
    for part in (warm, few):
        parts = {"train": part, "test": none}
        _, spent = reference.train_on(parts.__getitem__, hidden_channels=channels, epochs=1, seed=1, dropout=0.2)
    return IMAGES / spent


def _flops_per_s(side: int = 2048) -> float:
    """Return the peak number of fp32 additions and multiplications per second on this core."""
    import torch

    a, b = torch.randn(side, side), torch.randn(side, side)
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        a @ b
        best = min(best, time.process_time() - started)
    return 2 * side**3 / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=("ours", "reference"))
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("channels", type=int)
    parser.add_argument("precision")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    if options.program == "ours":
        speed, start = _ours(options.data_dir, options.channels, options.precision)
    else:
        speed, start = _reference(options.data_dir, options.channels), 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(Steps(images_per_s=speed, flops_per_s=_flops_per_s(), start_s=start, peak_mib=peak)))


if __name__ == "__main__":
    main()
