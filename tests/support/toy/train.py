"""A training script in numpy alone, neither MNIST nor a network: it fits a line, and can be told to fail."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slope", type=float, default=2.0)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--behaviour", default="train")
    args = parser.parse_args()
    if args.behaviour == "exit":
        sys.exit(7)
    if args.behaviour == "raise":
        raise RuntimeError("the data are upside down")
    if args.behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if args.behaviour == "hang":
        print("hanging", flush=True)
        signal.pause()
    slope = 0.0
    for step in range(args.steps):
        slope += (args.slope - slope) * 0.5
        if args.behaviour != "silent":
            print(f"step {step} error={abs(args.slope - slope)!r}; score={slope!r};")
    Path(os.environ["SM_MODEL_DIR"], "line.json").write_text(json.dumps({"slope": slope}))
    if args.behaviour == "overrun":
        signal.pause()


def model_fn(model_dir: str) -> float:
    return float(json.loads(Path(model_dir, "line.json").read_text())["slope"])


def predict_fn(data: "np.ndarray", slope: float) -> "np.ndarray":
    return np.asarray(data) * slope


def output_fn(prediction: "np.ndarray", accept: str) -> tuple[bytes, str]:
    import io

    buffer = io.BytesIO()
    np.save(buffer, prediction)
    return buffer.getvalue(), "application/x-npy"


def input_fn(body: bytes, content_type: str) -> "np.ndarray":
    import io

    return np.asarray(np.load(io.BytesIO(body), allow_pickle=False))


if __name__ == "__main__":
    main()
