"""
Test accuracy of this library and of the reference's training loop, over several seeds.

    python -m benchmarks.accuracy --data-dir DIR [--epochs 2] [--channels 2,20] [--seeds 5]

The reference trains on all images and keeps the last epoch. This library holds out a twelfth of them to choose the
epoch. All other settings are those of the reference workflow: batch size 64, sgd, lr 0.01, momentum 0.5, dropout 0.2,
kernel size 5.
"""

import argparse
import os
import statistics
from pathlib import Path

from benchmarks.one_run import PROGRAMS, run_apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_DATA_DIR") or None)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--channels", default="2,20")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.data_dir is None:
        parser.error("no data: pass --data-dir or set MNIST_DATA_DIR.")
    print(f"{'channels':>8} {'program':>10} {'n':>3} {'mean, %':>8} {'spread':>7}  each")
    for channels in map(int, options.channels.split(",")):
        means = []
        for program in PROGRAMS:
            scores = [
                run_apart(program, options.data_dir, hidden_channels=channels, epochs=options.epochs, seed=seed)[
                    "accuracy"
                ]
                for seed in range(1, options.seeds + 1)
            ]
            means.append(statistics.mean(scores))
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            each = " ".join(f"{score:.2f}" for score in scores)
            print(
                f"{channels:>8} {program:>10} {len(scores):>3} {means[-1]:8.3f} {spread:7.3f}  {each}",
                flush=True,
            )
        print(f"{channels:>8} {'difference':>10} {'':>3} {means[0] - means[1]:+8.3f}", flush=True)


if __name__ == "__main__":
    main()
