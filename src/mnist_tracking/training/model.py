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
    """What must be known to build the network that a set of weights belongs to."""

    hidden_channels: int
    kernel_size: int
    dropout: float

    @classmethod
    def of(cls, hyperparameters: Hyperparameters) -> "Architecture":
        """Take what matters from *hyperparameters*."""
        return cls(
            hidden_channels=hyperparameters.hidden_channels,
            kernel_size=hyperparameters.kernel_size,
            dropout=hyperparameters.dropout,
        )


def feature_side(kernel_size: int) -> int:
    """
    Return the side of the feature maps after both convolutions and poolings.

    Raises:
        ConfigError: If nothing would be left of the image.

    Example:
        >>> feature_side(5)
        4
    """
    side = IMAGE_SIZE
    for _ in range(2):
        side = (side - kernel_size + 1) // 2
    if kernel_size < 1 or side < 1:
        raise ConfigError(
            f"A kernel_size of {kernel_size} leaves nothing of an image of {IMAGE_SIZE}x{IMAGE_SIZE} pixels; "
            "1 to 9 leave something."
        )
    return side


class DigitNet(nn.Module):
    """
    Two convolutions and two linear layers; gives log-probabilities.

    Dropout draws from a generator of its own, so that a seed decides everything. Without one it draws from
    torch's.

    Attributes:
        architecture: What it was built from.
        dropout_generator: What dropout draws from.
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
        Score images.

        Args:
            images: (N, 1, 28, 28) float32 or bfloat16, normalised; the convolutions compute in the same.
            share: Which part of a batch the images are, where several processes compute one together: dropout draws for
                the whole batch, so that all processes draw alike. By default they are all of it.

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
    ):  # the layers' own first weights, soon replaced, must not touch torch's generator
        model = DigitNet(architecture, dropout_generator=dropout_generator)
    for layer in (model.conv1, model.conv2, model.fc1, model.fc2):
        nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(_bias(layer), -bound, bound, generator=generator)
    return model


def check_architecture(model: DigitNet, hyperparameters: Hyperparameters) -> None:
    """
    Refuse a model that is not what *hyperparameters* say: its artifact would tell of another one.

    Raises:
        ConfigError: If it is not.
    """
    if model.architecture != (said := Architecture.of(hyperparameters)):
        raise ConfigError(f"The model is {model.architecture}, but the hyperparameters say {said}.")


def _convolve(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Convolve in the type of *x*, which takes less time than autocast does."""
    return functional.conv2d(x, layer.weight.to(x.dtype), _bias(layer).to(x.dtype))


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    assert layer.bias is not None  # noqa: S101 - every layer above has one
    return layer.bias
