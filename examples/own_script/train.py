"""Fit a polynomial to measurements by ridge regression, with numpy only, and serve it from an endpoint."""

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
    """Return the powers of x: (N,) becomes (N, degree + 1)."""
    return np.vander(x, degree + 1, increasing=True)


def fit(x: Numbers, y: Numbers, degree: int, ridge: float) -> Numbers:
    """Return the (degree + 1,) least-squares weights, regularised by *ridge*."""
    powers = features(x, degree)
    return np.asarray(np.linalg.solve(powers.T @ powers + ridge * np.eye(degree + 1), powers.T @ y), np.float64)


# The endpoint calls these: model_fn once, then input_fn, predict_fn and output_fn for each request.


def model_fn(model_dir: str) -> Numbers:
    weights: Numbers = np.load(Path(model_dir, "weights.npy"))
    return weights


def input_fn(body: bytes, content_type: str) -> Numbers:
    if content_type != NPY:
        raise ValueError(f"Unsupported content type {content_type!r}; expected {NPY}.")
    return np.asarray(np.load(io.BytesIO(body)), np.float64)


def predict_fn(x: Numbers, weights: Numbers) -> Numbers:
    return features(x, len(weights) - 1) @ weights


def output_fn(predictions: Numbers, accept: str) -> tuple[bytes, str]:
    if accept not in (NPY, "*/*"):
        raise ValueError(f"Cannot respond with {accept!r}; available: {NPY}.")
    buffer = io.BytesIO()
    np.save(buffer, predictions)
    return buffer.getvalue(), NPY


if __name__ == "__main__":
    main()
