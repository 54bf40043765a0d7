"""
Training on a GPU: accuracy and time, images per second, and training many networks at once or one after another.

    python -m benchmarks.gpu --data-dir DIR [--seeds 10] [--many 16] [--device cuda]

Without a GPU it prints a message and exits. Times are measured after a warm-up, with the data on the device and
including all work queued there.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

import torch

from mnist_tracking.training.data import DigitData, load_data
from mnist_tracking.training.events import TrainingResult
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import train
from mnist_tracking.training.many import train_many
from mnist_tracking.training.randomness import seeded
from mnist_tracking.training.run import new_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_DATA_DIR") or None)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--many", type=int, default=16)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--batch-size", type=int, default=Hyperparameters().batch_size)
    parser.add_argument("--lr", type=float, default=Hyperparameters().lr)
    options = parser.parse_args()
    if options.data_dir is None:
        parser.error("no data: pass --data-dir or set MNIST_DATA_DIR.")
    if options.device == "cuda" and not torch.cuda.is_available():
        print("No GPU found; nothing to measure.")
        return
    device = torch.device(options.device)
    fraction = Hyperparameters().validation_fraction
    data = load_data(options.data_dir, validation_fraction=fraction, generator=seeded(1, "split")).to(device)
    settings = [_settings(options, seed) for seed in range(1, max(options.seeds, options.many) + 1)]
    print(_name(device), f"{options.precision}, batches of {options.batch_size}, lr {options.lr}")
    _train_one(data, settings[0], device)  # warm-up
    _measure_accuracy(data, settings[: options.seeds], device)
    _measure_many(data, settings[: options.many], device)


def _settings(options: argparse.Namespace, seed: int) -> Hyperparameters:
    return Hyperparameters(
        seed=seed,
        batch_size=options.batch_size,
        lr=options.lr,
        precision=options.precision,
        log_interval=1_000_000,  # no synchronisation with the device within an epoch
        device=options.device,
    )


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _train_one(data: DigitData, settings: Hyperparameters, device: torch.device) -> tuple[TrainingResult, float]:
    model = new_model(settings, device)
    started = _now(device)
    result = train(model, data, settings)
    return result, _now(device) - started


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _measure_accuracy(data: DigitData, settings: list[Hyperparameters], device: torch.device) -> None:
    runs = [_train_one(data, one, device) for one in settings]
    accuracies = [result.test.accuracy for result, _ in runs]
    seconds = statistics.median(spent for _, spent in runs)
    images = settings[0].epochs * len(data.train)
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    print(f"accuracy {statistics.mean(accuracies):.2f} % (sd {spread:.2f}, n = {len(runs)})")
    print(
        f"seconds per training, including validation and test: median {seconds:.2f}; {images / seconds:,.0f} images/s"
    )


def _measure_many(data: DigitData, settings: list[Hyperparameters], device: torch.device) -> None:
    models = [new_model(one, device) for one in settings]
    train_many([new_model(settings[0], device)], data, settings[:1])  # warm-up
    started = _now(device)
    together = train_many(models, data, settings)
    at_once = _now(device) - started
    alone = [_train_one(data, one, device) for one in settings]
    in_turn = sum(spent for _, spent in alone)
    gaps = [
        many.test.accuracy - one.test.accuracy
        for many, (one, _) in zip(together, alone, strict=True)
        if isinstance(many, TrainingResult)
    ]
    print(f"{len(settings)} at once: {at_once:.2f} s; one after another: {in_turn:.2f} s; {in_turn / at_once:.1f} to 1")
    print(f"accuracy, at once minus alone: mean {statistics.mean(gaps):+.3f}, largest {max(map(abs, gaps)):.2f}")


if __name__ == "__main__":
    main()
