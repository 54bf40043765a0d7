"""The convolutional network of the reference workflow, with every hyperparameter taking effect."""

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.data import IMAGE_SIZE
from mnist_tracking.training.digit_files import CLASSES
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.pooling import max_pool_2x2
from mnist_tracking.training.process_group import Share

__all__ = ["Architecture", "DigitNet", "build_model", "check_architecture", "feature_side"]

_FEATURES = 20  # channels after the second convolution
_UNITS = 50  # width of the hidden linear layer


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The settings that determine the shape and behaviour of a network."""

    hidden_channels: int
    kernel_size: int
    dropout: float

    @classmethod
    def of(cls, hyperparameters: Hyperparameters) -> "Architecture":
        """Return the architecture given by *hyperparameters*."""
        return cls(
            hidden_channels=hyperparameters.hidden_channels,
            kernel_size=hyperparameters.kernel_size,
            dropout=hyperparameters.dropout,
        )


def feature_side(kernel_size: int) -> int:
    """
    Return the side of the feature maps after both convolutions and poolings.

    Raises:
        ConfigError: If the kernel is too large for the image.

    Example:
        >>> feature_side(5)
        4
    """
    side = IMAGE_SIZE
    for _ in range(2):
        side = (side - kernel_size + 1) // 2
    if kernel_size < 1 or side < 1:
        raise ConfigError(
            f"kernel_size={kernel_size} does not fit images of {IMAGE_SIZE}x{IMAGE_SIZE} pixels; expected 1 to 9."
        )
    return side


class DigitNet(nn.Module):
    """
    Two convolutions and two linear layers; outputs log-probabilities.

    Attributes:
        architecture: The settings the network was built from.
        dropout_generator: Random generator for dropout, so that a seed makes training reproducible; None uses torch's
            global generator.
    """

    def __init__(self, architecture: Architecture, *, dropout_generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        self.dropout_generator = dropout_generator
        features = _FEATURES * feature_side(architecture.kernel_size) ** 2
        self.conv1 = nn.Conv2d(1, architecture.hidden_channels, architecture.kernel_size)
        self.conv2 = nn.Conv2d(architecture.hidden_channels, _FEATURES, architecture.kernel_size)
        self.fc1 = nn.Linear(features, _UNITS)
        self.fc2 = nn.Linear(_UNITS, CLASSES)

    def forward(self, images: Tensor, share: Share | None = None) -> Tensor:
        """
        Compute log-probabilities.

        Args:
            images: (N, 1, 28, 28) float32 or bfloat16, normalised. The convolutions compute in the same dtype.
            share: The part of the batch that *images* is, when several processes share a batch. Dropout draws random
                numbers for the whole batch, so that they are the same in all processes. Defaults to the whole batch.

        Returns:
            (N, 10) float32 log-probabilities.
        """
        x = functional.relu(max_pool_2x2(_convolve(images, self.conv1)))  # (N, hidden, s, s)
        x = max_pool_2x2(_convolve(x, self.conv2)).float()  # (N, 20, side, side)
        # Dropping whole channels after the pooling, not before, gives the same for a quarter of the work.
        x = functional.relu(self._drop(x, (_FEATURES, 1, 1), share))
        x = functional.relu(self.fc1(x.flatten(1)))  # (N, 20 * side * side) -> (N, 50)
        x = self._drop(x, (_UNITS,), share)
        return functional.log_softmax(self.fc2(x), dim=1)  # (N, 10)

    def _drop(self, x: Tensor, shape: tuple[int, ...], share: Share | None) -> Tensor:
        rate = self.architecture.dropout
        if not self.training or not rate:
            return x
        share = share or Share(0, len(x), len(x))
        kept = torch.empty((share.total, *shape), device=x.device)
        kept.bernoulli_(1 - rate, generator=self.dropout_generator).div_(1 - rate)
        return x * kept[share.rows]


def build_model(
    architecture: Architecture,
    *,
    generator: torch.Generator,
    dropout_generator: torch.Generator | None = None,
) -> DigitNet:
    """
    Build the network with torch's usual initial weights, drawn from *generator*.

    Raises:
        ConfigError: If the kernel is too large for the images.
    """
    with torch.random.fork_rng(
        devices=[]
    ):  # the layers' default initial weights, replaced below, must not advance torch's generator
        model = DigitNet(architecture, dropout_generator=dropout_generator)
    for layer in (model.conv1, model.conv2, model.fc1, model.fc2):
        nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(_bias(layer), -bound, bound, generator=generator)
    return model


def check_architecture(model: DigitNet, hyperparameters: Hyperparameters) -> None:
    """
    Check that the architecture of *model* matches *hyperparameters*, which are stored in its artifact.

    Raises:
        ConfigError: If it does not.
    """
    if model.architecture != (expected := Architecture.of(hyperparameters)):
        raise ConfigError(f"The model has {model.architecture}, but the hyperparameters require {expected}.")


def _convolve(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Convolve in the dtype of *x*, which is faster than autocast."""
    return functional.conv2d(x, layer.weight.to(x.dtype), _bias(layer).to(x.dtype))


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    assert layer.bias is not None  # noqa: S101 - every layer above has one
    return layer.bias
