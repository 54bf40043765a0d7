"""Inference engines for the endpoint: ONNX Runtime if installed, otherwise torch."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from mnist_tracking.errors import MissingDependencyError
from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.classifier import TOLERANCE, Classifier, sample_pixels
from mnist_tracking.training.onnx_graph import INPUT, onnx_session, write_onnx

__all__ = ["Engine", "OnnxEngine", "TorchEngine", "choose_engine"]

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Predicts probabilities for images."""

    def __call__(self, pixels: Tensor) -> Tensor:
        """
        Return class probabilities.

        Args:
            pixels: (N, 1, 28, 28) uint8 or float32 in 0..255.

        Returns:
            (N, 10) float32 probabilities, on the CPU.
        """


class TorchEngine:
    """Runs the network in torch, on *device*."""

    def __init__(self, artifact: Artifact, device: torch.device) -> None:
        self._model, self._device = Classifier.of(artifact).to(device), device

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        """Answer for (N, 1, 28, 28)."""
        answers: Tensor = self._model(pixels.to(self._device))
        return answers.cpu()


class OnnxEngine:
    """
    Runs the network in ONNX Runtime, on the CPU, with torch's number of threads.

    Raises:
        MissingDependencyError: If onnx or onnxruntime is not installed.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._session: Any = onnx_session(write_onnx(artifact), threads=torch.get_num_threads())

    def __call__(self, pixels: Tensor) -> Tensor:
        """Answer for (N, 1, 28, 28)."""
        return torch.from_numpy(self._session.run(None, {INPUT: pixels.float().numpy()})[0])


def choose_engine(artifact: Artifact, fast_engine: Callable[[Artifact], Engine] = OnnxEngine) -> Engine:
    """
    Return the fastest available engine; log a warning when it has to be torch on a CPU.

    The ONNX graph is built here from the weights, so that an archive contains one model rather than two that may
    differ. It is used only if its predictions match torch's.
    """
    if torch.cuda.is_available():
        return TorchEngine(artifact, torch.device("cuda"))
    plain = TorchEngine(artifact, torch.device("cpu"))
    try:
        fast = fast_engine(artifact)
    except MissingDependencyError as missing:
        _log.warning(
            "%s is not installed; predictions use torch, which is several times slower for single images. "
            "Run: pip install onnx onnxruntime",
            missing.package,
        )
        return plain
    sample = sample_pixels(8)
    difference = float((fast(sample) - plain(sample)).abs().max())
    if not difference <= TOLERANCE:  # also catches NaN
        _log.warning("ONNX Runtime's predictions differ from torch's by %.1e; predictions use torch.", difference)
        return plain
    return fast
