"""What computes an endpoint's answers: ONNX Runtime where it is installed, else torch."""

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
    """Answers for images."""

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return (N, 10) float32 probabilities, on the CPU, for (N, 1, 28, 28) uint8 or float32 of 0..255."""


class TorchEngine:
    """Torch, layer by layer, on the GPU if there is one."""

    def __init__(self, artifact: Artifact, device: torch.device) -> None:
        self._model, self._device = Classifier.of(artifact).to(device), device

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        """Answer for (N, 1, 28, 28)."""
        answers: Tensor = self._model(pixels.to(self._device))
        return answers.cpu()


class OnnxEngine:
    """
    ONNX Runtime, on the CPU, with as many threads as torch would take.

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
    Return the faster engine that is there, and say in the log why it is torch.

    The graph is made here, from the weights, so that an archive holds one model and not two that may differ. It is
    used only if it answers as torch does.
    """
    if torch.cuda.is_available():
        return TorchEngine(artifact, torch.device("cuda"))
    plain = TorchEngine(artifact, torch.device("cpu"))
    try:
        fast = fast_engine(artifact)
    except MissingDependencyError as missing:
        _log.warning(
            "%s is not installed, so torch answers, several times as slowly for one image. "
            "Run: pip install onnx onnxruntime",
            missing.package,
        )
        return plain
    sample = sample_pixels(8)
    difference = float((fast(sample) - plain(sample)).abs().max())
    if not difference <= TOLERANCE:  # NaN is neither
        _log.warning("ONNX Runtime's answers differ from torch's by %.1e, so torch answers.", difference)
        return plain
    return fast
