"""
The model as a row of torch's own layers, from pixels to probabilities: what other formats are written from.

The network that is trained has shortcuts of its own, for speed, which no other format knows. What is written from these
layers is compared with that network wherever it is used.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from mnist_tracking.training.artifact import Artifact

__all__ = ["Normalise", "standard_layers"]


class Normalise(nn.Module):
    """Turns pixels of 0..255 into what the network reads; *mean* and *std* are on that scale."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the same shape, float32."""
        return (pixels.to(torch.float32) - self.mean) / self.std


def standard_layers(artifact: Artifact) -> nn.Sequential:
    """
    Return the model of *artifact*, on the CPU, ready to answer.

    Raises:
        RuntimeError: If the weights are those of another kind of network.
    """
    weights = artifact.weights
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["normalise"] = Normalise(255 * artifact.mean, 255 * artifact.std)
    with torch.device("meta"):  # without first weights: they would be drawn from torch's generator
        for place in ("1", "2"):
            outputs, inputs, *kernel = weights[f"conv{place}.weight"].shape
            layers[f"conv{place}"] = nn.Conv2d(inputs, outputs, (kernel[0], kernel[1]))
            layers[f"pool{place}"] = nn.MaxPool2d(2)
            layers[f"relu{place}"] = nn.ReLU()
        layers["flatten"] = nn.Flatten()
        layers["fc1"] = _linear(weights["fc1.weight"])
        layers["relu3"] = nn.ReLU()
        layers["fc2"] = _linear(weights["fc2.weight"])
    layers["softmax"] = nn.Softmax(dim=1)
    model = nn.Sequential(layers)
    model.load_state_dict(dict(weights), assign=True)
    return model.eval().requires_grad_(False)


def _linear(weight: Tensor) -> nn.Linear:
    outputs, inputs = weight.shape
    return nn.Linear(inputs, outputs)
