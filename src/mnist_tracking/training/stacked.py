"""Several networks of one architecture as one: stacked weights, grouped convolutions, joint optimizer steps."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.model import DigitNet
from mnist_tracking.training.pooling import max_pool_2x2
from mnist_tracking.training.state import Weights

__all__ = ["StackedNet", "StackedSgd"]


class StackedNet:
    """
    K networks of one architecture, computed together. Their outputs and gradients are independent of each other.

    Args:
        models: The networks, on one device. They are not modified.
    """

    def __init__(self, models: Sequence[DigitNet]) -> None:
        self.size = len(models)
        states = [model.state_dict() for model in models]
        self.weights = {
            name: torch.stack([state[name].contiguous() for state in states]).requires_grad_() for name in states[0]
        }
        self._rates = [model.architecture.dropout for model in models]
        self._generators = [model.dropout_generator for model in models]

    def __call__(self, images: Tensor, *, training: bool) -> Tensor:
        """
        Compute log-probabilities with each network.

        Args:
            images: (N, K, 28, 28) float32 or bfloat16, normalised. The convolutions compute in the same dtype. The
                images of network k are ``images[:, k]``.
            training: Whether to apply dropout.

        Returns:
            (K, N, 10) float32 log-probabilities.
        """
        w, size, count = self.weights, self.size, len(images)
        x = functional.relu(max_pool_2x2(self._convolve(images, "conv1")))  # (N, K * hidden, s, s)
        x = max_pool_2x2(self._convolve(x, "conv2")).float()  # (N, K * 20, side, side)
        x = x.reshape(count, size, -1).transpose(0, 1)  # (K, N, 20 * side * side)
        masks = self._masks(count, x.device) if training and any(self._rates) else None
        if masks is not None:
            x = (x.view(size, count, masks[0].shape[2], -1) * masks[0]).flatten(2)
        x = torch.baddbmm(w["fc1.bias"].unsqueeze(1), functional.relu(x), w["fc1.weight"].transpose(1, 2))
        x = functional.relu(x)  # (K, N, 50)
        if masks is not None:
            x = x * masks[1]
        x = torch.baddbmm(w["fc2.bias"].unsqueeze(1), x, w["fc2.weight"].transpose(1, 2))  # (K, N, 10)
        return functional.log_softmax(x, dim=2)

    def weights_of(self, index: int) -> Weights:
        """Return a copy of one network's weights, on the CPU."""
        return {name: weight.detach()[index].cpu().clone() for name, weight in self.weights.items()}

    def _convolve(self, x: Tensor, layer: str) -> Tensor:
        weight, bias = self.weights[f"{layer}.weight"].flatten(0, 1), self.weights[f"{layer}.bias"].flatten()
        return functional.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), groups=self.size)

    def _masks(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Draw the same dropout masks as each network alone, in the same order: channels first, then units."""
        channels, units = self.weights["conv2.bias"].shape[1], self.weights["fc1.bias"].shape[1]
        of_channels = torch.ones(self.size, count, channels, 1, device=device)
        of_units = torch.ones(self.size, count, units, device=device)
        for index, (rate, generator) in enumerate(zip(self._rates, self._generators, strict=True)):
            if rate:
                of_channels[index].bernoulli_(1 - rate, generator=generator).div_(1 - rate)
                of_units[index].bernoulli_(1 - rate, generator=generator).div_(1 - rate)
        return of_channels, of_units


class StackedSgd:
    """Stochastic gradient descent with separate settings for each network."""

    def __init__(self, net: StackedNet, settings: Sequence[Hyperparameters]) -> None:
        self._weights = list(net.weights.values())
        self._velocities = [torch.zeros_like(weight) for weight in self._weights]
        device = self._weights[0].device
        self._momentum = torch.tensor([one.momentum for one in settings], device=device)
        self._decay = torch.tensor([one.weight_decay for one in settings], device=device)
        self._nesterov = torch.tensor([float(one.nesterov) for one in settings], device=device)

    @torch.no_grad()
    def step(self, rates: Tensor) -> None:
        """
        Update every weight with its network's learning rate, and clear the gradients.

        Args:
            rates: (K,) float32 learning rates.
        """
        for weight, velocity in zip(self._weights, self._velocities, strict=True):
            assert weight.grad is not None  # noqa: S101 - every weight contributes to every output
            gradient = weight.grad.addcmul_(weight, _along(self._decay, weight))
            velocity.mul_(_along(self._momentum, weight)).add_(gradient)
            ahead = _along(self._nesterov * self._momentum, weight)
            kept = _along(1 - self._nesterov, weight)
            move = torch.where(kept > 0, velocity, gradient + ahead * velocity)
            weight.sub_(move * _along(rates, weight))
            weight.grad = None


def _along(values: Tensor, weight: Tensor) -> Tensor:
    """Reshape (K,) values to broadcast over the weights of each network."""
    return values.view(-1, *[1] * (weight.dim() - 1))
