"""
The four handlers that SageMaker's serving toolkit calls.

Images go in as they are, pixels from 0 to 255; the endpoint normalises them as the artifact says.
Probabilities come out.
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
    Load the artifact in *model_dir*; the architecture comes from it.

    ONNX Runtime answers where onnx and onnxruntime are installed, else torch, which the log then says.

    Raises:
        DatasetError: If there is no artifact, or it is not one of ours.
    """
    return choose_engine(load_artifact(Path(model_dir)))


def input_fn(body: bytes | str, content_type: str) -> Tensor:
    """
    Decode the images of a request.

    Args:
        body: One image or several. Integers are pixels from 0 to 255. So are floats; if all of them are at most 1,
            the content type has to say what they are. As CSV, one image of 784 numbers per line. A picture is of 28x28
            grey pixels, bright on dark.
        content_type: ``application/x-npy``, ``application/json``, ``text/csv``, ``image/png`` or ``image/jpeg``. Behind
            it, ``; scale=1`` says that 1 is white, and ``; scale=255`` that 255 is.

    Returns:
        (N, 1, 28, 28), uint8 or float32, 0..255.

    Raises:
        ConfigError: If the body cannot be read, or its shape, type or values are wrong. It is a ValueError.
        MissingDependencyError: If a picture comes, and there is no Pillow.
    """
    return torch.from_numpy(decode(body.encode() if isinstance(body, str) else bytes(body), content_type))


def predict_fn(images: Tensor, model: Engine) -> Tensor:
    """
    Answer for each image.

    Args:
        images: (N, 1, 28, 28), uint8 or float32, 0..255.
        model: As :func:`model_fn` gave it.

    Returns:
        (N, 10) float32 probabilities, on the CPU; each row adds up to one.
    """
    if len(images) <= _BATCH:
        return model(images)
    return torch.cat([model(part) for part in torch.split(images, _BATCH)])


def output_fn(prediction: Tensor, accept: str = _JSON) -> bytes | str:
    """
    Encode probabilities.

    Args:
        prediction: (N, 10) float32.
        accept: ``application/x-npy``, ``application/json`` or ``text/csv``; ``*/*`` is JSON.

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
    raise ConfigError(f"The type {accept!r} cannot be given; {_NPY}, {_JSON}, {_CSV} can.")
