"""
Test accuracy and core-seconds of the fast recipe, over several seeds, one thread each.

    python -m benchmarks.time_to_accuracy --data-dir DIR [--channels 10,20] [--epochs 2] [--seeds 5] [--precision fp32]

Reading the data, validating, testing and writing the model are counted, importing torch is not.
"""

import argparse
import os
import statistics
from pathlib import Path

from benchmarks.one_run import run_apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_DATA_DIR") or None)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--channels", default="10,20")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--precision", default="fp32")
    options = parser.parse_args()
    if options.data_dir is None:
        parser.error("no data: pass --data-dir or set MNIST_DATA_DIR.")
    print(f"{'channels':>8} {'n':>3} {'mean, %':>8} {'spread':>7} {'core-seconds':>19}  each")
    for channels in map(int, options.channels.split(",")):
        runs = [
            run_apart(
                "fast",
                options.data_dir,
                hidden_channels=channels,
                epochs=options.epochs,
                seed=seed,
                precision=options.precision,
            )
            for seed in range(1, options.seeds + 1)
        ]
        scores, seconds = [run["accuracy"] for run in runs], [run["core_seconds"] for run in runs]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        took = f"{statistics.median(seconds):.1f} ({min(seconds):.1f}-{max(seconds):.1f})"
        each = " ".join(f"{score:.2f}" for score in scores)
        print(
            f"{channels:>8} {len(runs):>3} {statistics.mean(scores):8.3f} {spread:7.3f} {took:>19}  {each}", flush=True
        )


if __name__ == "__main__":
    main()
