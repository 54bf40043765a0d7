"""
Core-seconds of the reference workflow's five training runs, with this library and with the reference's loop.

    python -m benchmarks.training_speed --data-dir DIR [--epochs 2] [--channels 2,5,10,20,32]

Each training is a process of its own with one thread. Counted is the processor time it takes, reading the
data included and importing torch not.
"""

import argparse
import os
import platform
from pathlib import Path

from benchmarks.one_run import run_apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_DATA_DIR") or None)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--channels", default="2,5,10,20,32")
    options = parser.parse_args()
    if options.data_dir is None:
        parser.error("no data: pass --data-dir or set MNIST_DATA_DIR.")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}; epochs {options.epochs}")
    totals = {"ours": 0.0, "reference": 0.0}
    dataset = ""
    print(f"{'channels':>8} {'ours, s':>9} {'reference, s':>13} {'ratio':>6}")
    for channels in map(int, options.channels.split(",")):
        ours = run_apart("ours", options.data_dir, hidden_channels=channels, epochs=options.epochs)
        reference = run_apart("reference", options.data_dir, hidden_channels=channels, epochs=options.epochs)
        dataset = reference["dataset"]
        totals["ours"] += ours["core_seconds"]
        totals["reference"] += reference["core_seconds"]
        _print_row(str(channels), ours["core_seconds"], reference["core_seconds"])
    _print_row("total", totals["ours"], totals["reference"])
    print(f"The reference's dataset: {dataset}.")


def _print_row(name: str, ours: float, reference: float) -> None:
    print(f"{name:>8} {ours:9.2f} {reference:13.2f} {reference / ours:6.2f}", flush=True)


if __name__ == "__main__":
    main()
