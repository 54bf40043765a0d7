"""The network with normalisation and softmax: from raw pixels to probabilities."""

import torch
from torch import Tensor, nn

from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.data import normalise
from mnist_tracking.training.model import DigitNet

__all__ = ["TOLERANCE", "Classifier", "sample_pixels"]

#: The largest accepted difference between probabilities of one model computed in different ways.
TOLERANCE = 1e-5


class Classifier(nn.Module):
    """
    Turns raw pixels into class probabilities.

    This is the computation an endpoint performs, as one module; it normalises the pixels itself.

    Args:
        network: The trained network.
        mean: Pixel mean, on the scale of 0..1.
        std: Pixel standard deviation, on the scale of 0..1.
    """

    def __init__(self, network: DigitNet, *, mean: float, std: float) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    @classmethod
    def of(cls, artifact: Artifact) -> "Classifier":
        """Build the classifier of *artifact*, on the CPU, in evaluation mode."""
        return cls(artifact.model(), mean=artifact.mean, std=artifact.std).eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """
        Classify a batch of images.

        Args:
            pixels: (N, 1, 28, 28) uint8 or float32 in 0..255.

        Returns:
            (N, 10) float32 probabilities; each row sums to 1.
        """
        log_probabilities: Tensor = self.network(normalise(pixels, mean=self.mean, std=self.std))
        return log_probabilities.exp()


def sample_pixels(count: int) -> Tensor:
    """Return reproducible noise for comparing models: (count, 1, 28, 28) float32 in [0, 255)."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 1, 28, 28, generator=generator) * 255
