"""Fit a line by gradient descent, with a checkpoint after each epoch; resume from the checkpoint of an earlier job."""

import argparse
import json
import os
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()

    # SageMaker syncs /opt/ml/checkpoints, next to /opt/ml/model; no SM_* variable holds its path.
    checkpoint = Path(os.environ["SM_MODEL_DIR"]).parent / "checkpoints" / "last.json"
    slope, first = 0.0, 0
    if checkpoint.exists():
        slope, first = json.loads(checkpoint.read_text())
        print(f"resumed after {first} epochs")

    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, 1000)
    y = 3 * x + random.normal(0, 0.1, x.shape)
    for epoch in range(first, args.epochs):
        slope -= 0.1 * float(np.mean((slope * x - y) * x))
        save([slope, epoch + 1], checkpoint)
        print(f"epoch={epoch + 1}; loss={np.mean((slope * x - y) ** 2):.6f};")
    Path(os.environ["SM_MODEL_DIR"], "slope.json").write_text(json.dumps(slope))


def save(state: list[float], path: Path) -> None:
    """Replace the file atomically, since the instance may be reclaimed at any moment."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(state))
    draft.replace(path)


if __name__ == "__main__":
    main()
