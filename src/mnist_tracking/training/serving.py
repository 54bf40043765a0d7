"""
The four handlers that SageMaker's serving toolkit calls.

Requests contain raw pixels from 0 to 255, which the endpoint normalises with the artifact's mean and standard
deviation. Responses contain probabilities.
"""

import io
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.artifact import load_artifact
from mnist_tracking.training.decoding import decode
from mnist_tracking.training.engines import Engine, choose_engine

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]

_NPY, _JSON, _CSV = "application/x-npy", "application/json", "text/csv"
_BATCH = 1000


def model_fn(model_dir: str) -> Engine:
    """
    Load the artifact in *model_dir*, including its architecture.

    Uses ONNX Runtime if onnx and onnxruntime are installed, otherwise torch, with a warning in the log.

    Raises:
        DatasetError: If the artifact is missing or damaged, or was not written by mnist-tracking.
    """
    return choose_engine(load_artifact(Path(model_dir)))


def input_fn(body: bytes | str, content_type: str) -> Tensor:
    """
    Decode the images of a request.

    Args:
        body: One or more images, shaped (28, 28), (N, 28, 28) or (N, 1, 28, 28): integers or floats from 0 to 255, or
            floats from 0 to 1 with ``scale=1``. Floats that are all at most 1 require a scale. CSV has one image, 784
            numbers, per line. Pictures are 28x28 greyscale pixels, bright on dark.
        content_type: ``application/x-npy``, ``application/json``, ``text/csv``, ``image/png`` or ``image/jpeg``,
            optionally followed by ``; scale=1`` or ``; scale=255``, the value of white.

    Returns:
        (N, 1, 28, 28) uint8 or float32 in 0..255.

    Raises:
        ConfigError: If the body cannot be decoded, or has a wrong shape, type or value. It is a ValueError.
        MissingDependencyError: If the body is a PNG or JPEG and Pillow is not installed.
    """
    return torch.from_numpy(decode(body.encode() if isinstance(body, str) else bytes(body), content_type))


def predict_fn(images: Tensor, model: Engine) -> Tensor:
    """
    Predict class probabilities.

    Args:
        images: (N, 1, 28, 28) uint8 or float32 in 0..255.
        model: The result of :func:`model_fn`.

    Returns:
        (N, 10) float32 probabilities, on the CPU; each row sums to 1.
    """
    if len(images) <= _BATCH:
        return model(images)
    return torch.cat([model(part) for part in torch.split(images, _BATCH)])


def output_fn(prediction: Tensor, accept: str = _JSON) -> bytes | str:
    """
    Encode probabilities.

    Args:
        prediction: (N, 10) float32 probabilities in 0..1.
        accept: ``application/x-npy``, ``application/json`` or ``text/csv``; ``*/*`` selects JSON.

    Raises:
        ConfigError: If none of the accepted types is supported. It is a ValueError.
    """
    kinds = [part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    for kind in kinds:
        if kind == _NPY:
            buffer = io.BytesIO()
            np.save(buffer, prediction.numpy(), allow_pickle=False)
            return buffer.getvalue()
        if kind in (_JSON, "*/*", "application/*"):
            return json.dumps(prediction.tolist())
        if kind == _CSV:
            return "".join(",".join(map(repr, row)) + "\n" for row in prediction.tolist())
    raise ConfigError(f"The accept type {accept!r} is not supported; expected one of {_NPY}, {_JSON}, {_CSV}.")
