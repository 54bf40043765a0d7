"""
The model as a sequence of standard torch layers, from pixels to probabilities, for export to other formats.

The trained network uses custom operations for speed, which other formats do not support. Each export is compared with
that network before it is used.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from mnist_tracking.training.artifact import Artifact

__all__ = ["Normalise", "standard_layers"]


class Normalise(nn.Module):
    """
    Normalises pixels for the network.

    Args:
        mean: Pixel mean, on the scale of 0..255.
        std: Pixel standard deviation, on the scale of 0..255.
    """

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, pixels: Tensor) -> Tensor:
        """
        Normalise *pixels*.

        Args:
            pixels: Any shape, uint8 or float in 0..255.

        Returns:
            A float32 tensor of the same shape.
        """
        return (pixels.to(torch.float32) - self.mean) / self.std


def standard_layers(artifact: Artifact) -> nn.Sequential:
    """
    Build the model of *artifact* from standard layers, on the CPU, in evaluation mode.

    Raises:
        RuntimeError: If the weights belong to a different kind of network.
    """
    weights = artifact.weights
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["normalise"] = Normalise(255 * artifact.mean, 255 * artifact.std)
    with torch.device("meta"):  # no initial weights, which would be drawn from torch's generator
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
