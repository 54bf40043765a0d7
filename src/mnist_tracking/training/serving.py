"""
The four handlers that SageMaker's serving toolkit calls.

Images go in as they are, pixels from 0 to 255; the endpoint normalises them as the artifact says.
Probabilities come out.
"""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.artifact import load_artifact
from mnist_tracking.training.data import IMAGE_SIZE, normalise
from mnist_tracking.training.model import DigitNet

__all__ = ["ServedModel", "input_fn", "model_fn", "output_fn", "predict_fn"]

_NPY, _JSON, _CSV = "application/x-npy", "application/json", "text/csv"
_BATCH = 1000
_EXPECTED = "images of 28x28 pixels, shaped (28, 28), (N, 28, 28) or (N, 1, 28, 28), uint8 or float, from 0 to 255"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A network, ready to answer, with the normalisation it was trained on."""

    network: DigitNet
    mean: float
    std: float
    device: torch.device


def model_fn(model_dir: str) -> ServedModel:
    """
    Load the artifact in *model_dir*; the architecture comes from it.

    Raises:
        DatasetError: If there is no artifact, or it is not one of ours.
    """
    artifact = load_artifact(Path(model_dir))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return ServedModel(artifact.model().to(device), artifact.mean, artifact.std, device)


def input_fn(body: bytes | str, content_type: str) -> Tensor:
    """
    Decode the images of a request.

    Args:
        body: One image or several, pixels from 0 to 255. As CSV, one image of 784 numbers per line.
        content_type: ``application/x-npy``, ``application/json`` or ``text/csv``.

    Returns:
        (N, 1, 28, 28), uint8 or float32, 0..255.

    Raises:
        ConfigError: If the body cannot be read, or its shape, type or values are wrong. It is a ValueError.
    """
    kind = content_type.split(";")[0].strip().lower()
    if kind not in _DECODERS:
        raise ConfigError(f"The content type {content_type!r} is not supported; {', '.join(_DECODERS)} are.")
    content = body.encode() if isinstance(body, str) else bytes(body)
    try:
        array = _DECODERS[kind](content)
    except (ValueError, EOFError, TypeError) as exc:
        raise ConfigError(f"The body is not valid {kind}: {exc}. Expected {_EXPECTED}.") from exc
    return torch.from_numpy(_shaped(_checked(array)))


def predict_fn(images: Tensor, model: ServedModel) -> Tensor:
    """
    Answer for each image.

    Args:
        images: (N, 1, 28, 28), uint8 or float, 0..255.
        model: As :func:`model_fn` gave it.

    Returns:
        (N, 10) float32 probabilities, on the CPU; each row adds up to one.
    """
    with torch.inference_mode():
        answers = [
            model.network(normalise(part.to(model.device), mean=model.mean, std=model.std)).exp()
            for part in torch.split(images, _BATCH)
        ]
        return torch.cat(answers).cpu()


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
    raise ConfigError(f"The type {accept!r} cannot be given; {', '.join(_DECODERS)} can.")


def _decode_npy(content: bytes) -> np.ndarray:
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))


def _decode_json(content: bytes) -> np.ndarray:
    return np.asarray(json.loads(content))


def _decode_csv(content: bytes) -> np.ndarray:
    rows = np.loadtxt(io.BytesIO(content), delimiter=",", ndmin=2)
    return rows.reshape(len(rows), IMAGE_SIZE, IMAGE_SIZE)


_DECODERS = {_NPY: _decode_npy, _JSON: _decode_json, _CSV: _decode_csv}


def _checked(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "uif":
        raise ConfigError(f"The images are of type {array.dtype}; expected {_EXPECTED}.")
    if not array.size:
        raise ConfigError(f"There are no images, the shape is {array.shape}; expected {_EXPECTED}.")
    low, high = float(array.min()), float(array.max())
    if not 0 <= low <= high <= 255:
        raise ConfigError(f"The images hold values from {low:g} to {high:g}; expected {_EXPECTED}.")
    if array.dtype.kind == "f" and 0 < high <= 1:
        raise ConfigError(f"The images seem to be scaled to 0..1: the largest value is {high:g}. Expected {_EXPECTED}.")
    return array.astype(np.float32 if array.dtype.kind == "f" else np.uint8)


def _shaped(array: np.ndarray) -> np.ndarray:
    single = (IMAGE_SIZE, IMAGE_SIZE)
    if array.shape == single:
        return array[None, None]  # (28, 28) -> (1, 1, 28, 28)
    if array.ndim == 3 and array.shape[1:] == single:
        return array[:, None]  # (N, 28, 28) -> (N, 1, 28, 28)
    if array.ndim == 4 and array.shape[1:] == (1, *single):
        return array
    raise ConfigError(f"The images have the shape {array.shape}; expected {_EXPECTED}.")
