"""Fit a polynomial to measurements with ridge regression, in numpy alone; and answer for it behind an endpoint."""

import argparse
import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
NPY = "application/x-npy"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--degree", type=int, default=1)
    parser.add_argument("--ridge", type=float, default=1e-6)
    args = parser.parse_args()
    data_dir = Path(os.environ.get("SM_CHANNEL_TRAINING", "data"))
    model_dir = Path(os.environ.get("SM_MODEL_DIR", "."))

    x, y = np.loadtxt(data_dir / "measurements.csv", delimiter=",", unpack=True)
    held_out = np.arange(len(x)) % 3 == 0
    weights = fit(x[~held_out], y[~held_out], args.degree, args.ridge)
    for name, chosen in (("train", ~held_out), ("validation", held_out)):
        error = features(x[chosen], args.degree) @ weights - y[chosen]
        print(f"{name} rmse={np.sqrt(np.mean(error**2)):.6f};")
    np.save(model_dir / "weights.npy", weights)


def features(x: Numbers, degree: int) -> Numbers:
    """Turn (N,) into (N, degree + 1): the powers of x."""
    return np.vander(x, degree + 1, increasing=True)


def fit(x: Numbers, y: Numbers, degree: int, ridge: float) -> Numbers:
    """Return the (degree + 1,) weights of least squares, held small by *ridge*."""
    powers = features(x, degree)
    return np.asarray(np.linalg.solve(powers.T @ powers + ridge * np.eye(degree + 1), powers.T @ y), np.float64)


# What an endpoint calls: load the model once, then read, answer and write each request.


def model_fn(model_dir: str) -> Numbers:
    weights: Numbers = np.load(Path(model_dir, "weights.npy"))
    return weights


def input_fn(body: bytes, content_type: str) -> Numbers:
    if content_type != NPY:
        raise ValueError(f"The content type is {content_type!r}; {NPY} is understood.")
    return np.asarray(np.load(io.BytesIO(body)), np.float64)


def predict_fn(x: Numbers, weights: Numbers) -> Numbers:
    return features(x, len(weights) - 1) @ weights


def output_fn(answers: Numbers, accept: str) -> tuple[bytes, str]:
    if accept not in (NPY, "*/*"):
        raise ValueError(f"{accept!r} is asked for; {NPY} can be given.")
    buffer = io.BytesIO()
    np.save(buffer, answers)
    return buffer.getvalue(), NPY


if __name__ == "__main__":
    main()
