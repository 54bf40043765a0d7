"""The network with its normalisation and its probabilities: from pixels as they are to an answer."""

import torch
from torch import Tensor, nn

from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.data import normalise
from mnist_tracking.training.model import DigitNet

__all__ = ["TOLERANCE", "Classifier", "sample_pixels"]

#: By how much probabilities of the same model may differ, whichever way they are computed.
TOLERANCE = 1e-5


class Classifier(nn.Module):
    """What an endpoint does, as a module; it needs to be told nothing about the pixels."""

    def __init__(self, network: DigitNet, *, mean: float, std: float) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    @classmethod
    def of(cls, artifact: Artifact) -> "Classifier":
        """Return the model of *artifact*, on the CPU."""
        return cls(artifact.model(), mean=artifact.mean, std=artifact.std).eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """
        Answer for images.

        Args:
            pixels: (N, 1, 28, 28), uint8 or float32, 0..255.

        Returns:
            (N, 10) float32 probabilities; each row adds up to one.
        """
        answers: Tensor = self.network(normalise(pixels, mean=self.mean, std=self.std))
        return answers.exp()


def sample_pixels(count: int) -> Tensor:
    """Return (count, 1, 28, 28) float32 of 0..255: noise, the same each time, to compare answers by."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 1, 28, 28, generator=generator) * 255
