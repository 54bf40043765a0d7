"""A training script that records its own metrics, parameters and files with ``mnist_tracking.job``."""

import argparse
from pathlib import Path

from mnist_tracking.job import log_artifact, log_metric, log_parameter


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    lr = parser.parse_args().lr

    log_parameter("optimizer", "adam")
    for epoch in range(3):
        percent = 100 - 10 * lr / (epoch + 1)
        log_metric("validation:accuracy", percent, step=epoch)
    Path("notes.txt").write_text("Converged after one epoch.\n")
    log_artifact("notes.txt")


if __name__ == "__main__":
    main()
